import Glibc
import SharedMemory
import Testing
import VirtualKernel

/// The render node: buffers by handle and by descriptor.
struct VirtualRenderNodeTests {
    private let fixture = KernelFixture()

    private struct Prime: BitwiseCopyable {
        var handle: UInt32 = 0
        var flags = UInt32(O_CLOEXEC | O_RDWR)
        var descriptor: Int32 = -1
    }

    private struct NewBuffer: BitwiseCopyable {
        var size: UInt64
        var flags: UInt32 = 0x20000
        var handle: UInt32 = 0
    }

    private struct Information: BitwiseCopyable {
        var handle: UInt32
        var information: UInt32 = 0
        var value: UInt64 = 0
        var length: UInt32 = 0
        var padding: UInt32 = 0
    }

    // The numbers as `include/uapi/drm/drm.h` and `msm_drm.h` give them.
    private static let version = IOControlRequest(rawValue: 0xc040_6400)
    private static let capability = IOControlRequest(rawValue: 0xc010_640c)
    private static let close = IOControlRequest(rawValue: 0x4008_6409)
    private static let export = IOControlRequest(rawValue: 0xc00c_642d)
    private static let importing = IOControlRequest(rawValue: 0xc00c_642e)
    private static let new = IOControlRequest(rawValue: 0xc010_6442)
    private static let information = IOControlRequest(rawValue: 0xc018_6443)

    private func open() throws -> any VirtualFile { try fixture.open("/dev/dri/renderD128") }

    private func make(_ file: any VirtualFile, _ size: UInt64) throws -> UInt32 {
        var request = NewBuffer(size: size)
        try fixture.caller.ioctl(file, Self.new, &request)
        return request.handle
    }

    private func export(_ file: any VirtualFile, _ handle: UInt32) throws -> CInt {
        var request = Prime(handle: handle)
        try fixture.caller.ioctl(file, Self.export, &request)
        return request.descriptor
    }

    private func importing(_ file: any VirtualFile, _ descriptor: CInt) throws -> UInt32 {
        var request = Prime(descriptor: descriptor)
        try fixture.caller.ioctl(file, Self.importing, &request)
        return request.handle
    }

    @Test func saysWhoItIs() throws {
        let file = try open()
        // As libdrm asks: first for the lengths, then for the texts.
        var version = [UInt64](repeating: 0, count: 8)
        var name = [UInt8](repeating: 0x55, count: 8)
        try version.withUnsafeMutableBytes { bytes in
            _ = try file.ioctl(Self.version, UInt64(UInt(bitPattern: bytes.baseAddress)), fixture.caller)
        }
        #expect(version[0] == 12 << 32 | 1)
        #expect(version[2] == 3)
        try name.withUnsafeMutableBytes { text in
            version[3] = UInt64(UInt(bitPattern: text.baseAddress))
            version[4] = 0
            try version.withUnsafeMutableBytes { bytes in
                _ = try file.ioctl(Self.version, UInt64(UInt(bitPattern: bytes.baseAddress)), fixture.caller)
            }
        }
        #expect(name == Array("msm".utf8) + [0x55, 0x55, 0x55, 0x55, 0x55])
        var capability: (UInt64, UInt64) = (5, 0)
        try fixture.caller.ioctl(file, Self.capability, &capability)
        #expect(capability.1 == 3)
        let unknown: (UInt64, UInt64) = (99, 0)
        #expect(fixture.caller.refusal(file, Self.capability, unknown) == EINVAL)
    }

    @Test func exportedBuffersAreForFastRPC() throws {
        let file = try open()
        let handle = try make(file, 5000)
        let descriptor = try export(file, handle)
        let size = try SystemCalls.byteCount(descriptor)
        #expect(size == 8192)
        #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
        let address = try SystemCalls.map(descriptor, size)
        defer { munmap(address, size) }
        let session = try fixture.session()
        defer { session.release() }
        memset(address, 0x77, 100)
        let bytes = UInt64(UInt(bitPattern: address))
        try fixture.invoke(
            session, ChannelDSP.Handle.echo, .init(method: 2, inBuffers: 1, outBuffers: 1),
            [
                .init(address: bytes, length: 100, fd: descriptor),
                .init(address: bytes + 4096, length: 100, fd: descriptor),
            ])
        #expect(address.load(fromByteOffset: 4096 + 99, as: UInt8.self) == 0x77)
    }

    @Test func aBufferHasOneHandle() throws {
        let (file, other) = (try open(), try open())
        let handle = try make(file, 4096)
        let descriptor = try export(file, handle)
        #expect(try importing(file, descriptor) == handle)
        #expect(try importing(file, export(file, handle)) == handle)
        let foreign = try importing(other, descriptor)
        #expect(try importing(other, descriptor) == foreign)
        // From the heap, and closed there before it comes back.
        let buffer = try fixture.allocate(4096)
        let imported = try importing(file, buffer.descriptor)
        #expect(imported != handle)
        buffer.bytes[7] = 99
        buffer.unmap()
        fixture.kernel.registry.file(buffer.descriptor)?.release()
        let again = try export(file, imported)
        var byte: UInt8 = 0
        #expect(pread(again, &byte, 1, 7) == 1 && byte == 99)
        #expect(fixture.kernel.registry.file(again)?.isDMABuffer == true)
    }

    @Test func refuses() throws {
        let file = try open()
        let caller = fixture.caller
        #expect(caller.refusal(file, Self.new, NewBuffer(size: 0)) == EINVAL)
        #expect(caller.refusal(file, Self.new, NewBuffer(size: .max)) == EINVAL)
        #expect(caller.refusal(file, Self.new, NewBuffer(size: 1 << 50)) == ENOMEM)
        for flags: UInt32 in [0, 3, 0x8002_0000, 0x0003_0000, 0x0004_0000] {
            #expect(caller.refusal(file, Self.new, NewBuffer(size: 4096, flags: flags)) == EINVAL)
        }
        #expect(caller.refusal(file, Self.export, Prime(handle: 5)) == ENOENT)
        #expect(caller.refusal(file, Self.export, Prime(handle: 5, flags: 1 << 4)) == EINVAL)
        #expect(caller.refusal(file, Self.importing, Prime(descriptor: -1)) == EBADF)
        let plain = try SystemCalls.memoryFile("a file")
        defer { SystemCalls.close(plain) }
        #expect(caller.refusal(file, Self.importing, Prime(descriptor: plain)) == EINVAL)
        #expect(caller.refusal(file, Self.information, Information(handle: 5)) == ENOENT)
        #expect(caller.refusal(file, Self.information, Information(handle: 5, information: 77)) == EINVAL)
        #expect(caller.refusal(file, Self.information, Information(handle: 5, padding: 1)) == EINVAL)
        let handle = try make(file, 4096)
        #expect(caller.refusal(file, Self.information, Information(handle: handle, length: 1)) == EINVAL)
        #expect(caller.refusal(file, Self.information, Information(handle: handle, information: 1)) == nil)
        #expect(caller.refusal(file, Self.close, UInt64(handle)) == nil)
        #expect(caller.refusal(file, Self.close, UInt64(handle)) == EINVAL)
        // DRM_IOCTL_GET_MAGIC is for primary nodes; another type is no request of DRM's.
        #expect(caller.refusal(file, IOControlRequest(rawValue: 0x8004_6402), UInt64(0)) == EACCES)
        #expect(caller.refusal(file, IOControlRequest(rawValue: 0xc004_64ff), UInt64(0)) == EINVAL)
        #expect(caller.refusal(file, IOControlRequest(rawValue: 0x5401), UInt64(0)) == ENOTTY)
    }
}
