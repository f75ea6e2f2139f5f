import Foundation
import Glibc
import HTPDevice
import RemoteCalls
import ReverseTunnel
import TestSupport
import Testing
import VirtualChannel
import VirtualShell

/// Our DSP program as a module of a process on the virtual DSP, fetched through the reverse tunnel.
@Suite(.serialized) struct HTPProgramTests {
    static let uri = "file:///libhtp_skel.so?htp_skel_handle_invoke&_modver=1.0&_dom=cdsp"
    static let skel = Tool.folder + "/libhtp_skel.so"
    static let library = Tool.folder + "/libvirtual-shell.so"
    static let isBuilt = access(skel, R_OK) == 0 && access(library, R_OK) == 0

    /// A process run by the dynamic library, as the tool runs it: its symbols are the program's.
    static func start() throws -> (kernel: TestKernel, thread: DispatchSemaphore) {
        typealias Main = @convention(c) (CInt) -> CInt
        let handle = try #require(dlopen(library, RTLD_NOW | RTLD_GLOBAL))
        let symbol = try #require(dlsym(handle, "virtual_shell_guest"))
        let main = unsafeBitCast(symbol, to: Main.self)
        let (end, other) = try ChannelEndpoint.pair()
        let socket = dup(other.descriptor)
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            _ = main(socket)
            ended.signal()
        }
        return (TestKernel(end), ended)
    }

    static func server() throws -> ReverseServer {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: skel)))
        return ReverseServer(services: [
            FileService(searchPath: [], domain: "cdsp", table: ["libhtp_skel.so": bytes])
        ])
    }

    @Test(.enabled(if: isBuilt, "the dynamic libraries are not beside the tests")) func runs() throws {
        let (kernel, ended) = try Self.start()
        #expect(kernel.create() == 0)
        kernel.listen(try Self.server())
        let (status, handle, words) = kernel.open(Self.uri)
        #expect(status == 0, "\(words)")
        #expect(kernel.invoke(handle, 0x0201_0000, [TestKernel.words([2])]).status == 0)
        let hardware = kernel.invoke(handle, 0x0400_0100, [], [24])
        #expect(hardware.status == 0)
        #expect(hardware.word(0, 0) == 0x66)
        #expect(hardware.word(0, 4) == 2)
        // A descriptor that this process does not have: found by the mapping, not by mmap.
        let buffer = try kernel.mapped(65_536, descriptor: 4711)
        let size: [UInt32] = [4711, 0, 65_536, 0]
        #expect(kernel.invoke(handle, 0x0501_0000, [TestKernel.words(size)]).status == 0)
        #expect(kernel.invoke(handle, 0x0501_0000, [TestKernel.words([4712, 0, 65_536, 0])]).status != 0)
        #expect(
            kernel.invoke(handle, 0x0601_0000, [TestKernel.words([4711])]).status == 0)
        // A shape that the skel does not have, said with the DSP's offset.
        #expect(kernel.invoke(handle, 0x0501_0000, [[1, 2]]).status == 0x8000_040e)
        #expect(kernel.unmap(buffer) == 0)
        kernel.free(buffer)
        #expect(kernel.close(handle) == 0)
        #expect(kernel.exit() == 0)
        #expect(kernel.ends())
        #expect(ended.wait(timeout: .now() + 60) == .success)
    }

    @Test(.enabled(if: isBuilt, "the dynamic libraries are not beside the tests")) func multiplies() throws {
        let (kernel, ended) = try Self.start()
        #expect(kernel.create() == 0)
        kernel.listen(try Self.server())
        let handle = kernel.open(Self.uri).handle
        var random = SeededGenerator(17)
        let (rows, columns, count) = (100, 512, 3)
        let matrix = try RandomMatrix(.q8_0, rows: rows, columns: columns, random: &random)
        let source = random.normals(columns * count)
        let buffer = try kernel.mapped(1 << 20, descriptor: 333)
        try matrix.withWeights { weights in
            let base = try #require(buffer.bytes.baseAddress) + 4096
            try weights.writeRowTiles(0..<weights.rowTileCount, to: base)
        }
        #expect(kernel.invoke(handle, 0x0201_0000, [TestKernel.words([2])]).status == 0)
        #expect(kernel.invoke(handle, 0x0501_0000, [TestKernel.words([333, 0, 1 << 20, 0])]).status == 0)
        let numbers = [333, 0, 4096, 0, 8, rows, columns, count, columns * count, rows * count]
        let product = kernel.invoke(
            handle, 0x0802_0100,
            [
                TestKernel.words(numbers.map { UInt32($0) }),
                source.withUnsafeBytes { Array($0) },
            ], [rows * count * 4])
        #expect(product.status == 0)
        let results = (0..<rows * count).map { Float(bitPattern: product.word(0, 4 * $0)) }
        #expect(matrix.error(of: results, with: source) < 2e-4)
        #expect(kernel.close(handle) == 0)
        #expect(kernel.exit() == 0)
        #expect(ended.wait(timeout: .now() + 60) == .success)
    }
}
