// The C symbols of libcdsprpc.so over a virtual DSP, so that whatever talks to Qualcomm's library can be
// run against it. Signatures and codes: qualcomm/fastrpc, inc/remote.h and inc/rpcmem.h.
import Glibc
import HexagonRPC
import Synchronization
import VirtualDSP

private let processor = VirtualProcessor()

/// `remote_handle64_open`
@_cdecl("remote_handle64_open")
public func remoteHandle64Open(_ uri: UnsafePointer<CChar>?, _ handle: UnsafeMutablePointer<UInt64>?) -> CInt
{
    guard let uri, let handle else { return AEEResult.badParameter.status }
    let (result, opened) = processor.open(uri: String(cString: uri))
    if result == .success { handle.pointee = opened }
    return result.status
}

/// `remote_handle64_invoke`
@_cdecl("remote_handle64_invoke")
public func remoteHandle64Invoke(_ handle: UInt64, _ scalars: UInt32, _ arguments: UnsafeMutableRawPointer?)
    -> CInt
{
    let scalars = Scalars(rawValue: scalars)
    guard arguments != nil || scalars.argumentCount == 0 else { return AEEResult.badParameter.status }
    let list = UnsafeMutableBufferPointer(
        start: arguments?.assumingMemoryBound(to: RemoteArgument.self), count: scalars.argumentCount)
    return processor.invoke(handle: handle, scalars: scalars, arguments: list).status
}

/// `remote_handle64_close`
@_cdecl("remote_handle64_close")
public func remoteHandle64Close(_ handle: UInt64) -> CInt {
    processor.close(handle: handle).status
}

/// `remote_handle64_control`
@_cdecl("remote_handle64_control")
public func remoteHandle64Control(
    _ handle: UInt64, _ request: UInt32, _ data: UnsafeMutableRawPointer?, _ byteCount: UInt32
) -> CInt {
    AEEResult.unsupported.status
}

/// `remote_session_control`
@_cdecl("remote_session_control")
public func remoteSessionControl(_ request: UInt32, _ data: UnsafeMutableRawPointer?, _ byteCount: UInt32)
    -> CInt
{
    // DSPRPC_CONTROL_UNSIGNED_MODULE { int domain; int enable; }
    guard request == 2 else { return AEEResult.unsupported.status }
    guard let data, byteCount == 8 else { return AEEResult.badParameter.status }
    return processor.allowUnsignedModules(
        data.load(fromByteOffset: 4, as: CInt.self) != 0, domain: data.load(as: CInt.self)
    ).status
}

/// `fastrpc_mmap`
@_cdecl("fastrpc_mmap")
public func fastRPCMap(
    _ domain: CInt, _ descriptor: CInt, _ address: UnsafeMutableRawPointer?, _ offset: CInt, _ byteCount: Int,
    _ flags: UInt32
) -> CInt {
    processor.map(
        domain: domain, descriptor: descriptor, offset: offset, byteCount: byteCount, flags: flags
    ).status
}

/// `fastrpc_munmap`
@_cdecl("fastrpc_munmap")
public func fastRPCUnmap(
    _ domain: CInt, _ descriptor: CInt, _ address: UnsafeMutableRawPointer?, _ byteCount: Int
) -> CInt {
    processor.unmap(domain: domain, descriptor: descriptor).status
}
