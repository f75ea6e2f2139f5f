// The DSP's C functions for mapped buffers. Signatures: HAP_mem.h of the Hexagon SDK, as named in public
// programs. The memory of a buffer is at its host address; its "physical" address is the DSP's number for it. On
// threads of no process of the virtual DSP they answer AEE_EUNSUPPORTED.
import RemoteCalls

/// `HAP_mmap_get`: looks up a buffer that the client mapped, by the client's descriptor, and keeps it.
@_cdecl("HAP_mmap_get")
public func hapMmapGet(
    _ descriptor: CInt, _ address: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    _ physical: UnsafeMutablePointer<UInt64>?
) -> CInt {
    guard let shell = CurrentShell.shell else { return AEEResult.unsupported.status }
    guard let found = shell.memory.hold(descriptor) else { return AEEResult.failed.status }
    address?.pointee = found.memory.bytes.baseAddress
    physical?.pointee = found.dspAddress
    return 0
}

/// `HAP_mmap_put`: ends one `HAP_mmap_get`.
@_cdecl("HAP_mmap_put")
public func hapMmapPut(_ descriptor: CInt) -> CInt {
    guard let shell = CurrentShell.shell else { return AEEResult.unsupported.status }
    return shell.memory.letGo(descriptor) ? 0 : AEEResult.failed.status
}

/// `adsp_mmap_fd_getinfo`: the size of a buffer that the client mapped; generated skels ask for it.
@_cdecl("adsp_mmap_fd_getinfo")
public func adspMmapFdGetinfo(_ descriptor: CInt, _ byteCount: UnsafeMutablePointer<UInt32>?) -> CInt {
    guard let shell = CurrentShell.shell else { return AEEResult.unsupported.status }
    guard let found = shell.memory.buffer(descriptor) else { return AEEResult.failed.status }
    byteCount?.pointee = UInt32(clamping: found.memory.bytes.count)
    return 0
}

private func map(_ descriptor: CInt, _ offset: Int, _ byteCount: Int) -> UnsafeMutableRawPointer? {
    CurrentShell.shell?.memory.mapByProgram(descriptor, offset: offset, byteCount: byteCount)
        ?? UnsafeMutableRawPointer(bitPattern: -1)
}

/// `HAP_mmap`: maps a part of a buffer that the client mapped or prepared; `(void *)-1` where there is none.
@_cdecl("HAP_mmap")
public func hapMmap(
    _ address: UnsafeMutableRawPointer?, _ byteCount: CInt, _ protection: CInt, _ flags: CInt,
    _ descriptor: CInt, _ offset: CLong
) -> UnsafeMutableRawPointer? {
    map(descriptor, offset, Int(byteCount))
}

/// `HAP_mmap2`: the same with a length beyond 2 GiB.
@_cdecl("HAP_mmap2")
public func hapMmap2(
    _ address: UnsafeMutableRawPointer?, _ byteCount: Int, _ protection: CInt, _ flags: CInt,
    _ descriptor: CInt, _ offset: CLong
) -> UnsafeMutableRawPointer? {
    map(descriptor, offset, byteCount)
}

/// `HAP_munmap`: ends a `HAP_mmap`.
@_cdecl("HAP_munmap")
public func hapMunmap(_ address: UnsafeMutableRawPointer?, _ byteCount: CInt) -> CInt {
    CurrentShell.shell?.memory.unmapByProgram(address) == true ? 0 : AEEResult.failed.status
}

/// `HAP_munmap2`
@_cdecl("HAP_munmap2")
public func hapMunmap2(_ address: UnsafeMutableRawPointer?, _ byteCount: Int) -> CInt {
    CurrentShell.shell?.memory.unmapByProgram(address) == true ? 0 : AEEResult.failed.status
}
