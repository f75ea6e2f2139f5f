import DSPQueue
import Foundation
import Glibc
import HexagonIDL
import RemoteCalls
import ReverseTunnel
import Synchronization
import TestSupport
import Testing
import VirtualChannel

/// A process of the virtual DSP that the dynamic library runs, with a module in C that is compiled here.
enum NativeShell {
    static let comment: Comment = "no C compiler, or libvirtual-shell.so is not built"
    static let library = Tool.folder + "/libvirtual-shell.so"
    static let canRun = !Toolchain.hostCompilers.isEmpty && access(library, R_OK) == 0

    /// The echo skel, compiled once.
    static let skel: Result<[UInt8], any Error> = Result {
        try Toolchain.withFolder { folder in
            let unit = try IDLCompiler.compile(text: EchoSkel.idl, path: "echo.idl")
            try GeneratedCTests.write(unit, "echo", to: folder)
            try EchoSkel.implementation.write(toFile: folder + "/imp.c", atomically: true, encoding: .utf8)
            let options = ["-std=gnu11", "-O1", "-fPIC", "-shared", "-o", "\(folder)/libecho_skel.so"]
            let sources = ["\(folder)/echo_skel.c", "\(folder)/imp.c"]
            try Toolchain.run(
                Toolchain.hostCompilers[0],
                GeneratedCTests.warnings + GeneratedCTests.includes + ["-I" + folder] + options + sources)
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/libecho_skel.so")))
        }
    }

    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    static func start(
        scenario: String = "", log: Lines = Lines(), files: [String: [UInt8]] = [:]
    ) throws -> (
        kernel: TestKernel, echo: UInt32
    ) {
        typealias Main = @convention(c) (CInt) -> CInt
        let library = try #require(dlopen(Self.library, RTLD_NOW | RTLD_GLOBAL))
        let main = unsafeBitCast(try #require(dlsym(library, "virtual_shell_guest")), to: Main.self)
        let (end, other) = try ChannelEndpoint.pair()
        let socket = dup(other.descriptor)
        Thread.detachNewThread { _ = main(socket) }
        let kernel = TestKernel(end)
        #expect(kernel.create(ProcessDescription(scenario: scenario)) == 0)
        kernel.listen(
            ReverseServer(services: [
                FileService(
                    searchPath: [], domain: "cdsp",
                    table: files.merging(["libecho_skel.so": try skel.get()]) { $1 }),
                LogService { log.add($0) },
            ]))
        let opened = kernel.open("file:///libecho_skel.so?echo_skel_handle_invoke&_modver=1.0&_dom=cdsp")
        #expect(opened.status == 0, "\(opened.words)")
        return (kernel, opened.handle)
    }
}

/// Modules in C on a process of the virtual DSP.
@Suite(.serialized, .enabled(if: NativeShell.canRun, NativeShell.comment))
struct NativeSkelTests {
    @Test func parametersOfEveryKind() throws {
        let (kernel, echo) = try NativeShell.start()
        let words = TestKernel.words
        let sum = kernel.invoke(echo, 0x0202_0100, [words([2]), words([5, UInt32(bitPattern: -7)])], [8])
        #expect(sum.status == 0)
        #expect(sum.word(0, 0) == UInt32(bitPattern: -2))
        // The implementation's own code, as code on the DSP says it.
        let refused = kernel.invoke(echo, 0x0202_0100, [words([3]), words([1, 2, .max])], [8])
        #expect(refused.status == 0x8000_0410)
        let text = kernel.invoke(
            echo, 0x0303_0200, [words([6, 8, 4, 4]), TestKernel.text("hello"), TestKernel.text("AbC")],
            [8, 4])
        #expect(text.status == 0)
        #expect(text.buffers[0].prefix(6) == TestKernel.text("hello")[...])
        #expect(text.buffers[1] == TestKernel.text("aBc"))
        let numbers = kernel.invoke(echo, 0x0401_0100, [words([40, 2])], [8])
        #expect(numbers.word(0, 0) == 42)
        #expect(numbers.buffers[0][4] == 77)
        // Counts that do not fit the buffers, buffers that are missing: the generated skel refuses.
        for call in [
            kernel.invoke(echo, 0x0202_0100, [words([3]), words([5, 6])], [8]),
            kernel.invoke(echo, 0x0201_0100, [words([2])], [8]),
            kernel.invoke(echo, 0x0202_0100, [words([2]), words([5, 6])], [4]),
        ] { #expect(call.status == 0x8000_040e) }
        #expect(kernel.close(echo) == 0)
        #expect(kernel.exit() == 0)
        #expect(kernel.ends())
    }

    @Test func mappedBuffersAndTheLog() throws {
        let lines = NativeShell.Lines()
        let (kernel, echo) = try NativeShell.start(log: lines)
        var buffer = try kernel.allocate(4096, descriptor: 9000)
        buffer.bytes.storeBytes(of: 0x1234_5678, toByteOffset: 100, as: UInt32.self)
        let arguments = [TestKernel.words([9000, 100])]
        #expect(kernel.invoke(echo, 0x0501_0100, arguments, [4]).status == 0x8000_0401)
        #expect(kernel.map(&buffer) == 0)
        let peeked = kernel.invoke(echo, 0x0501_0100, arguments, [4])
        #expect(peeked.status == 0)
        #expect(peeked.word(0, 0) == 0x1234_5678)
        #expect(kernel.unmap(buffer) == 0)
        #expect(kernel.invoke(echo, 0x0501_0100, arguments, [4]).status == 0x8000_0401)
        // FASTRPC_MAP_FD_DELAYED: not for HAP_mmap_get.
        #expect(kernel.map(&buffer, flags: 3) == 0)
        #expect(kernel.invoke(echo, 0x0501_0100, arguments, [4]).status == 0x8000_0401)
        let text = TestKernel.text("the skel")
        #expect(
            kernel.invoke(echo, 0x0602_0000, [TestKernel.words([UInt32(text.count)]), text]).status == 0)
        #expect(kernel.exit() == 0)
        // The last lines come while the process ends.
        #expect(kernel.ends())
        #expect(lines.all == ["high: echo.c:7: the skel said 12"])
    }

    /// A module that needs another library, which the host has or has not.
    @Test func librariesThatAModuleNeeds() throws {
        let (needy, extra) = try Toolchain.withFolder { folder in
            func library(_ name: String, _ text: String, _ options: [String]) throws -> [UInt8] {
                let path = "\(folder)/lib\(name).so"
                try text.write(toFile: "\(folder)/\(name).c", atomically: true, encoding: .utf8)
                try Toolchain.run(
                    Toolchain.hostCompilers[0],
                    ["-fPIC", "-shared", "-o", path, "\(folder)/\(name).c", "-Wl,-soname,lib\(name).so"]
                        + GeneratedCTests.includes + options)
                return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            }
            let extra = try library("extra", "int extra(void) { return 4321; }", [])
            let needy = try library(
                "needy",
                """
                #include "remote.h"
                int extra(void);
                int needy_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *args) {
                    (void)h;
                    uint32_t method = REMOTE_SCALARS_METHOD(sc);
                    if (method == 0) args[2].h64 = 1;
                    return method < 2 ? 0 : extra();
                }
                """, ["-L" + folder, "-Wl,--no-as-needed", "-lextra"])
            return (needy, extra)
        }
        let uri = "file:///libneedy.so?needy_skel_handle_invoke&_modver=1.0"
        // In this order: what is loaded in this process already is not looked for.
        for files in [["libneedy.so": needy], ["libneedy.so": needy, "libextra.so": extra]] {
            let (kernel, _) = try NativeShell.start(files: files)
            let opened = kernel.open(uri)
            if files.count == 1 {
                #expect(opened.status == 0x8000_0406)
                #expect(opened.words == "libneedy.so needs libextra.so, not found")
            } else {
                #expect(opened.status == 0, "\(opened.words)")
                #expect(kernel.invoke(opened.handle, 0x0200_0000).status == 4321)
                // A call of open or close by the client would leave the module's handle behind.
                #expect(kernel.invoke(opened.handle, 0x0100_0000).status == 0x8000_040e)
                #expect(kernel.open("file:///libneedy.so?nothing").status == 0x8000_0442)
            }
            #expect(kernel.exit() == 0)
            #expect(kernel.ends())
        }
    }
}
