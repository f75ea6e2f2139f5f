import Glibc
import SharedMemory
import Synchronization

/// An opened render node: buffers by handle, and their way to other drivers (PRIME). Nothing is rendered.
final class DRMFile: VirtualFile {
    private let kernel: VirtualKernel
    private let state = Mutex(State())

    private struct State: Sendable {
        var buffers: [UInt32: VirtualDMABuffer] = [:]
        var lastHandle: UInt32 = 0
    }

    init(_ kernel: VirtualKernel) { self.kernel = kernel }

    var isDMABuffer: Bool { false }

    func release() {
        state.withLock { $0.buffers = [:] }
    }

    func ioctl(
        _ request: IOControlRequest, _ argument: UInt64, _ caller: any Caller
    ) throws(SystemError) -> Int {
        guard request.rawValue >> 8 & 0xff == UInt32(UInt8(ascii: "d")) else { throw SystemError(ENOTTY) }
        // Like DRM, this goes by the index: the size may be an older or newer program's.
        switch request.rawValue & 0xff {
        case 0x00: try version(argument, caller)
        case 0x09: try closeHandle(argument, caller)
        case 0x0c: try capability(argument, caller)
        case 0x2d: try export(argument, caller)
        case 0x2e: try importBuffer(argument, caller)
        case 0x42: try createBuffer(argument, caller)
        case 0x43: try information(argument, caller)
        // Known, and not for render nodes: authentication, names, display.
        case 0x01...0x08, 0x0a, 0x0b, 0x10, 0x11, 0x1e, 0x1f, 0x20...0x2c, 0xa0...0xbe:
            throw SystemError(EACCES)
        default: throw SystemError(EINVAL)
        }
        return 0
    }

    // MARK: Core

    /// `DRM_IOCTL_VERSION`
    private func version(_ argument: UInt64, _ caller: any Caller) throws(SystemError) {
        var version = try caller.read(argument, as: Version.self)
        (version.major, version.minor, version.patch) = (1, 12, 0)
        version.nameByteCount = try copy("msm", version.name, version.nameByteCount, caller)
        version.dateByteCount = try copy("20130625", version.date, version.dateByteCount, caller)
        version.descriptionByteCount = try copy(
            "MSM Snapdragon DRM", version.description, version.descriptionByteCount, caller)
        try caller.write(version, to: argument)
    }

    /// Copies as much of a text as there is room for; returns its length.
    private func copy(
        _ text: String, _ address: UInt64, _ room: UInt64, _ caller: any Caller
    ) throws(SystemError) -> UInt64 {
        let bytes = Array(text.utf8)
        guard address != 0, room > 0 else { return UInt64(bytes.count) }
        let count = Int(min(room, UInt64(bytes.count)))
        var failure: SystemError?
        bytes.withUnsafeBytes { all in
            do throws(SystemError) {
                try caller.write(UnsafeRawBufferPointer(rebasing: all[..<count]), to: address)
            } catch { failure = error }
        }
        if let failure { throw failure }
        return UInt64(bytes.count)
    }

    /// `DRM_IOCTL_GET_CAP`
    private func capability(_ argument: UInt64, _ caller: any Caller) throws(SystemError) {
        var capability = try caller.read(argument, as: Capability.self)
        switch capability.id {
        case 5: capability.value = 3  // DRM_CAP_PRIME: import and export
        case 6: capability.value = 1  // DRM_CAP_TIMESTAMP_MONOTONIC
        case 1...4, 7...9, 0x10...0x15: capability.value = 0  // display, synchronisation objects
        default: throw SystemError(EINVAL)
        }
        try caller.write(capability, to: argument)
    }

    /// `DRM_IOCTL_GEM_CLOSE`
    private func closeHandle(_ argument: UInt64, _ caller: any Caller) throws(SystemError) {
        let handle = try caller.read(argument, as: UInt64.self)
        let buffer = state.withLock { $0.buffers.removeValue(forKey: UInt32(truncatingIfNeeded: handle)) }
        guard buffer != nil else { throw SystemError(EINVAL) }
    }

    // MARK: PRIME

    /// `DRM_IOCTL_PRIME_HANDLE_TO_FD`
    private func export(_ argument: UInt64, _ caller: any Caller) throws(SystemError) {
        var prime = try caller.read(argument, as: Prime.self)
        let flags = CInt(bitPattern: prime.flags)
        guard flags & ~(O_CLOEXEC | O_RDWR) == 0 else { throw SystemError(EINVAL) }
        prime.descriptor = try kernel.give(find(prime.handle), to: caller, flags: flags)
        try caller.write(prime, to: argument)
    }

    /// `DRM_IOCTL_PRIME_FD_TO_HANDLE`: a buffer has one handle in a file, however often it is imported.
    private func importBuffer(_ argument: UInt64, _ caller: any Caller) throws(SystemError) {
        var prime = try caller.read(argument, as: Prime.self)
        let buffer = try kernel.registry.dmaBuffer(prime.descriptor, of: caller)
        prime.handle = state.withLock { state in
            if let known = state.buffers.first(where: { $0.value === buffer }) { return known.key }
            return Self.add(buffer, &state)
        }
        try caller.write(prime, to: argument)
    }

    private func find(_ handle: UInt32) throws(SystemError) -> VirtualDMABuffer {
        guard let buffer = state.withLock({ $0.buffers[handle] }) else { throw SystemError(ENOENT) }
        return buffer
    }

    private static func add(_ buffer: VirtualDMABuffer, _ state: inout State) -> UInt32 {
        repeat {
            state.lastHandle &+= 1
        } while state.lastHandle == 0 || state.buffers[state.lastHandle] != nil
        state.buffers[state.lastHandle] = buffer
        return state.lastHandle
    }

    // MARK: The msm driver

    /// `DRM_IOCTL_MSM_GEM_NEW`
    private func createBuffer(_ argument: UInt64, _ caller: any Caller) throws(SystemError) {
        var request = try caller.read(argument, as: NewBuffer.self)
        // MSM_BO_SCANOUT, MSM_BO_GPU_READONLY, MSM_BO_NO_SHARE, and how it is cached: MSM_BO_CACHED, MSM_BO_WC
        // or MSM_BO_CACHED_COHERENT.
        guard request.flags & ~0x000f_0007 == 0,
            [0x0001_0000, 0x0002_0000, 0x0008_0000].contains(request.flags & 0x000f_0000)
        else { throw SystemError(EINVAL) }
        let page = UInt64(SystemCalls.pageSize)
        let byteCount = (request.byteCount &+ page &- 1) & ~(page - 1)
        guard byteCount > 0 else { throw SystemError(EINVAL) }
        guard byteCount <= kernel.configuration.memoryLimit else { throw SystemError(ENOMEM) }
        let buffer = try VirtualDMABuffer(byteCount: byteCount)
        request.handle = state.withLock { Self.add(buffer, &$0) }
        try caller.write(request, to: argument)
    }

    /// `DRM_IOCTL_MSM_GEM_INFO`. Offsets are of the right form, but there is nothing to map behind the node:
    /// an exported buffer can be mapped.
    private func information(_ argument: UInt64, _ caller: any Caller) throws(SystemError) {
        var request = try caller.read(argument, as: BufferInformation.self)
        guard request.padding == 0 else { throw SystemError(EINVAL) }
        switch request.information {
        case 0, 1, 5:  // MSM_INFO_GET_OFFSET, MSM_INFO_GET_IOVA, MSM_INFO_GET_FLAGS
            guard request.byteCount == 0 else { throw SystemError(EINVAL) }
            let place = UInt64(request.handle) << 32
            _ = try find(request.handle)
            request.value = request.information == 5 ? 0x0002_0000 : place
        case 2:  // MSM_INFO_SET_NAME
            _ = try find(request.handle)
            guard request.byteCount < 32 else { throw SystemError(EINVAL) }
        case 3:  // MSM_INFO_GET_NAME: none is kept
            _ = try find(request.handle)
            request.byteCount = 0
        default: throw SystemError(EINVAL)
        }
        try caller.write(request, to: argument)
    }
}

// What the requests point at, as C has it; all of `include/uapi/drm/drm.h` and `msm_drm.h`.

/// `struct drm_version`
private struct Version: BitwiseCopyable {
    var major: Int32
    var minor: Int32
    var patch: Int32
    var padding: Int32
    var nameByteCount: UInt64
    var name: UInt64
    var dateByteCount: UInt64
    var date: UInt64
    var descriptionByteCount: UInt64
    var description: UInt64
}

/// `struct drm_get_cap`
private struct Capability: BitwiseCopyable {
    var id: UInt64
    var value: UInt64
}

/// `struct drm_prime_handle`
private struct Prime: BitwiseCopyable {
    var handle: UInt32
    var flags: UInt32
    var descriptor: Int32
}

/// `struct drm_msm_gem_new`
private struct NewBuffer: BitwiseCopyable {
    var byteCount: UInt64
    var flags: UInt32
    var handle: UInt32
}

/// `struct drm_msm_gem_info`
private struct BufferInformation: BitwiseCopyable {
    var handle: UInt32
    var information: UInt32
    var value: UInt64
    var byteCount: UInt32
    var padding: UInt32
}
