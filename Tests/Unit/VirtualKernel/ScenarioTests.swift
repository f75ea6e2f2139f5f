import FastRPCKernel
import Glibc
import SharedMemory
import Synchronization
import Testing
import VirtualKernel

/// What goes wrong on the kernel's side, and how it heals.
struct VirtualKernelScenarioTests {
    private static let nodes = ["/dev/fastrpc-adsp-secure", "/dev/fastrpc-cdsp", "/dev/fastrpc-cdsp-secure"]

    private func text(_ fixture: KernelFixture, _ path: String) -> String? {
        fixture.kernel.tree.files[path].map { String(decoding: $0, as: UTF8.self) }
    }

    private func fastRPCNodes(_ fixture: KernelFixture) -> [String] {
        fixture.kernel.tree.nodes.keys.filter { $0.contains("fastrpc") }.sorted()
    }

    @Test func aHealthyMachine() throws {
        let fixture = KernelFixture { $0.model = "Some Board" }
        let tree = fixture.kernel.tree
        #expect(fastRPCNodes(fixture) == Self.nodes)
        #expect(tree.nodes["/dev/dma_heap/system"] == 0o666 && tree.nodes["/dev/dri/renderD128"] == 0o666)
        #expect(Set(fixture.kernel.nodes.map(\.path)) == Set(tree.nodes.keys))
        #expect(text(fixture, "/sys/class/remoteproc/remoteproc0/name") == "cdsp\n")
        #expect(text(fixture, "/sys/class/remoteproc/remoteproc0/state") == "running\n")
        #expect(text(fixture, "/sys/class/misc/fastrpc-cdsp/dev")?.hasPrefix("10:") == true)
        #expect(text(fixture, "/sys/firmware/devicetree/base/model") == "Some Board\0")
        let firmware = try #require(text(fixture, "/sys/class/remoteproc/remoteproc0/firmware"))
        for path in [
            "/lib/firmware/" + firmware.dropLast(), "/usr/lib/dsp/cdsp/fastrpc_shell_3",
            "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3",
        ] {
            let build = fixture.kernel.configuration.firmwareBuild
            #expect(text(fixture, path)?.contains("QC_IMAGE_VERSION_STRING=\(build)\0") == true)
        }
        #expect(tree.links["/sys/dev/char/0:0/device/subsystem"]?.hasSuffix("/platform") == true)
        #expect(text(fixture, "/sys/dev/char/0:0/device/uevent")?.contains("\nOF_FULLNAME=/") == true)
    }

    @Test(arguments: [Scenario.Kind.noNode, .dspOffline]) func withoutNodes(kind: Scenario.Kind) throws {
        let fixture = KernelFixture(Scenario(kind))
        #expect(fastRPCNodes(fixture).isEmpty)
        #expect(!fixture.kernel.tree.files.keys.contains { $0.hasPrefix("/sys/class/misc/") })
        for node in Self.nodes { #expect(OwnCaller.refusal { try fixture.open(node) } == ENOENT) }
        let state = text(fixture, "/sys/class/remoteproc/remoteproc0/state")
        #expect(state == (kind == .noNode ? "running\n" : "offline\n"))
        #expect((text(fixture, "/sys/module/fastrpc/initstate") == nil) == (kind == .noNode))
        fixture.kernel.select(Scenario(.healthy))
        let file = try fixture.session()
        #expect(try fixture.echo(file, [1]).1 == [1])
        // And back: the file dies with the DSP, and stays dead.
        fixture.kernel.select(Scenario(kind))
        #expect(OwnCaller.refusal { try fixture.echo(file, [1]) } == EPIPE)
        fixture.kernel.select(Scenario(.healthy))
        #expect(OwnCaller.refusal { try fixture.echo(file, [1]) } == EPIPE)
        file.release()
    }

    @Test func nodesThatMayNotBeOpened() throws {
        let fixture = KernelFixture(Scenario(.noPermission))
        for node in Self.nodes {
            #expect(fixture.kernel.tree.nodes[node] == 0)
            #expect(OwnCaller.refusal { try fixture.open(node) } == EACCES)
        }
        #expect(try fixture.allocate(10).bytes.count == 4096)
        fixture.kernel.select(Scenario(.plainNodeOnly))
        #expect(OwnCaller.refusal { try fixture.open("/dev/fastrpc-cdsp-secure") } == EACCES)
        let file = try fixture.open()
        #expect(OwnCaller.refusal { try fixture.create(file, attributes: 0) } == ECONNREFUSED)
        #expect(try fixture.create(file) == 0)
        file.release()
    }

    @Test func sessionsAllTaken() throws {
        let fixture = KernelFixture(Scenario(.noFreeSession))
        for node in Self.nodes { #expect(OwnCaller.refusal { try fixture.open(node) } == EBUSY) }
        fixture.kernel.select(Scenario(.healthy))
        for _ in 0..<4 { _ = try fixture.open() }
    }

    @Test func noHeap() throws {
        let fixture = KernelFixture(Scenario(.noDMAHeap))
        #expect(fixture.kernel.tree.nodes["/dev/dma_heap/system"] == nil)
        #expect(OwnCaller.refusal { try fixture.allocate(4096) } == ENOENT)
    }

    @Test func shells() throws {
        let fixture = KernelFixture(Scenario(.noShell))
        #expect(!fixture.kernel.tree.files.keys.contains { $0.contains("shell") })
        fixture.kernel.select(Scenario(.shellMismatch))
        let file = try fixture.open()
        defer { file.release() }
        #expect(try fixture.create(file) == returned(0x8000_054f))
        fixture.kernel.select(Scenario(.healthy))
        #expect(try fixture.create(file) == 0)
    }

    @Test func capabilitiesOfOldDrivers() throws {
        let fixture = KernelFixture(Scenario(.oldCapabilityReply))
        let file = try fixture.open()
        defer { file.release() }
        func ask(_ attribute: UInt32) throws -> CapabilityArgument {
            var request = argument(CapabilityArgument.self) {
                $0.domain = 3
                $0.attribute = attribute
                $0.value = 0xdead
            }
            #expect(try fixture.caller.ioctl(file, FastRPCRequest.information.number, &request) == 0)
            return request
        }
        let old = try ask(6)
        #expect(old.domain == 0x68 && old.value == 0xdead)
        fixture.kernel.select(Scenario(.unsignedSupportReadsZero))
        let support = try ask(1)
        #expect(support.domain == 3 && support.value == 0)
        #expect(try fixture.create(file) == 0)
    }

    @Test func theSubsystemRestarts() throws {
        let fixture = KernelFixture(Scenario(.subsystemRestart, parameter: 3))
        let trees = Mutex<[Int]>([])
        fixture.kernel.onTreeChange { tree in
            let count = tree.nodes.keys.count { $0.contains("cdsp") }
            trees.withLock { $0.append(count) }
        }
        let (file, listener) = (try fixture.session(), try fixture.session())
        let audio = try fixture.open("/dev/fastrpc-adsp-secure")
        defer { audio.release() }
        let pending = Background { try fixture.invoke(listener, 7) }
        _ = try pending.join()
        let waiting = Background {
            OwnCaller.refusal { try fixture.invoke(listener, ChannelDSP.Handle.silence) }
        }
        #expect(fixture.dsp.wait { $0.invocations.count == 2 })
        #expect(try fixture.echo(file, [1]).1 == [1])
        // The third call of a client's own module; the one on handle 7 does not count.
        #expect(OwnCaller.refusal { try fixture.echo(file, [2]) } == EPIPE)
        #expect(try waiting.join() == EPIPE)
        #expect(fixture.dsp.wait { $0.running == 0 })
        #expect(OwnCaller.refusal { try fixture.open() } == ENOENT)
        #expect(text(fixture, "/sys/class/remoteproc/remoteproc0/state") == "crashed\n")
        #expect(text(fixture, "/sys/class/remoteproc/remoteproc1/state") == "running\n")
        #expect(fixture.dsp.wait { _ in fixture.kernel.tree.nodes["/dev/fastrpc-cdsp"] != nil })
        // Dead files stay dead, and their end frees nothing of the new DSP's.
        #expect(OwnCaller.refusal { try fixture.echo(file, [2]) } == EPIPE)
        #expect(OwnCaller.refusal { try fixture.create(listener) } == EPIPE)
        file.release()
        listener.release()
        let files = try (0..<4).map { _ in try fixture.session() }
        #expect(OwnCaller.refusal { try fixture.open() } == EBUSY)
        for _ in 0..<10 { #expect(try fixture.echo(files[0], [3]).1 == [3]) }
        #expect(trees.withLock { $0 } == [0, 2])
        for file in files { file.release() }
    }

    @Test func everyKindIsPlayedBySomebody() throws {
        for kind in Scenario.Kind.allCases {
            let fixture = KernelFixture(Scenario(kind, parameter: 5))
            fixture.kernel.select(Scenario(.healthy))
            let file = try fixture.session()
            #expect(try fixture.echo(file, [1, 2, 3]).1 == [1, 2, 3])
            file.release()
        }
    }
}
