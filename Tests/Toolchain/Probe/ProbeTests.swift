import Foundation
import Testing

@Suite(
    .enabled(if: systemCompiler != nil, "needs a C compiler as cc"),
    .enabled(if: probeExecutable != nil, "needs the built fastrpc-probe beside the tests"))
struct ProbeTests {
    let machine: FakeMachine

    init() throws {
        machine = try FakeMachine()
    }

    @Test func aGoodMachinePasses() throws {
        try machine.installLibrary()
        let (report, status) = try machine.probe()
        #expect(status == 0)
        #expect(report.version == 1)
        #expect(
            report.checks.map { "\($0.id) \($0.status)" } == [
                "kernel ok", "driver ok", "remoteproc ok", "nodes ok", "node-access ok", "dma-heap ok",
                "library ok", "shell ok", "build skip", "drm ok", "session skip",
            ])
        #expect(report.host.kernel == "6.18.0-test" && report.host.model == "Radxa Dragon Q6A")
        #expect(report.devices.map(\.name) == ["adsp", "cdsp"])
        #expect(report.devices[1].nodes.map(\.path) == ["/dev/fastrpc-cdsp", "/dev/fastrpc-cdsp-secure"])
        #expect(report.devices[1].remoteproc?.path == "/sys/class/remoteproc/remoteproc1")
    }

    @Test func aLoadableDriverIsLoaded() throws {
        try machine.installLibrary()
        for path in ["/sys/bus/rpmsg", "/sys/class/misc", "/dev"] { try machine.remove(path) }
        try machine.write("", to: "/lib/modules/6.18.0-test/kernel/drivers/misc/fastrpc.ko.xz")
        let (report, status) = try machine.probe()
        #expect(status == 1)
        #expect(try report["driver"].remedy == "sudo modprobe fastrpc")
        #expect(try report["nodes"].remedy.contains("driver"))
        #expect(try report["node-access"].status == "skip")
        #expect(try report["dma-heap"].status == "warn")
        #expect(report.failed == ["driver", "nodes"])
    }

    @Test func aKernelWithoutTheDriverAndAnotherMachineAreToldApart() throws {
        for path in ["/sys/bus/rpmsg", "/sys/class/misc", "/dev"] { try machine.remove(path) }
        #expect(try machine.probe().report["driver"].remedy.contains("CONFIG_QCOM_FASTRPC"))
        try machine.write("acme,board\0", to: "/sys/firmware/devicetree/base/compatible")
        #expect(try machine.probe().report["driver"].summary.contains("Qualcomm machine"))
    }

    @Test func nodesThatAreRegisteredButNotThereMeanAContainer() throws {
        try machine.remove("/dev/fastrpc-cdsp")
        #expect(try machine.probe().report["nodes"].status == "ok")
        try machine.remove("/dev/fastrpc-cdsp-secure")
        let nodes = try machine.probe().report["nodes"]
        #expect(nodes.status == "fail" && nodes.remedy.contains("--device /dev/fastrpc-cdsp"))
        #expect(nodes.evidence.contains("/dev/fastrpc-adsp-secure"))
    }

    @Test(.enabled(if: canDropCapabilities, "needs setpriv to be less than root"))
    func nodesThatThisUserMayNotOpen() throws {
        try machine.installLibrary()
        try machine.deny("/dev/fastrpc-cdsp")
        var report = try machine.probe().report
        #expect(try report["node-access"].status == "ok", "the secure node takes unsigned code too")
        #expect(try report["node-access"].summary.contains("/dev/fastrpc-cdsp-secure"))

        try machine.deny("/dev/fastrpc-cdsp-secure")
        report = try machine.probe().report
        #expect(report.failed == ["node-access"])
        let access = try report["node-access"]
        #expect(access.evidence.contains("Permission denied") && access.evidence.contains("0000"))
        #expect(access.remedy.contains("KERNEL==\"fastrpc-*\"") && access.remedy.contains("usermod -aG"))
        #expect(report.devices[1].nodes.map(\.accessible) == [false, false])
    }

    @Test(.enabled(if: getuid() == 0 && canDropCapabilities, "needs root, to give files to others"))
    func aGroupThatMayOpenTheNodeIsTheRemedy() throws {
        let group = try #require(getgrnam("video"))
        for node in ["fastrpc-cdsp", "fastrpc-cdsp-secure"] {
            let file = machine.scratch.path + "/dev/\(node)"
            try #require(chown(file, 65534, group.pointee.gr_gid) == 0 && chmod(file, 0o640) == 0)
        }
        let access = try machine.probe().report["node-access"]
        #expect(access.status == "fail")
        #expect(access.remedy.hasPrefix("sudo usermod -aG video "))
    }

    @Test(.enabled(if: canDropCapabilities, "needs setpriv to be less than root"))
    func aHeapThatThisUserMayNotOpenIsAWarning() throws {
        try machine.installLibrary()
        try machine.deny("/dev/dma_heap/system")
        let (report, status) = try machine.probe()
        #expect(status == 0)
        let heap = try report["dma-heap"]
        #expect(heap.status == "warn" && heap.remedy.contains("SUBSYSTEM==\"dma_heap\""))
    }

    @Test(arguments: ["offline", "crashed", "suspended"])
    func aProcessorThatDoesNotRun(state: String) throws {
        try machine.write("\(state)\n", to: "/sys/class/remoteproc/remoteproc1/state")
        let check = try machine.probe().report["remoteproc"]
        #expect(check.status == "fail" && check.summary.contains(state))
        if state == "offline" {
            #expect(check.remedy == "echo start | sudo tee /sys/class/remoteproc/remoteproc1/state")
        }
        #expect(try machine.probe(["--domain", "adsp"]).report["remoteproc"].status == "ok")
    }

    @Test func aProcessorWithoutFirmware() throws {
        try machine.write("offline\n", to: "/sys/class/remoteproc/remoteproc1/state")
        try machine.remove("/lib/firmware/qcom/qcs6490/radxa/dragon-q6a/cdsp.mbn")
        let check = try machine.probe().report["remoteproc"]
        #expect(check.evidence.contains("no /lib/firmware/qcom/qcs6490/radxa/dragon-q6a/cdsp.mbn"))
        #expect(check.remedy.contains("firmware"))
    }

    /// Newer kernels name a remote processor after its platform device: the firmware tells which it is.
    @Test func aProcessorIsKnownByItsFirmware() throws {
        try machine.write("a300000.remoteproc\n", to: "/sys/class/remoteproc/remoteproc1/name")
        #expect(try machine.probe().report["remoteproc"].status == "ok")
        #expect(try machine.probe(["--domain", "cdsp1"]).report["remoteproc"].status == "fail")
        try machine.write("qcom/sa8775p/cdsp1.mbn\n", to: "/sys/class/remoteproc/remoteproc1/firmware")
        #expect(try machine.probe().report["remoteproc"].status == "warn")
        #expect(try machine.probe(["--domain", "cdsp1"]).report["remoteproc"].status == "ok")
        try machine.write("qcom/x/qccdsp8380.mbn\n", to: "/sys/class/remoteproc/remoteproc1/firmware")
        #expect(try machine.probe().report["remoteproc"].status == "ok")
    }

    @Test func aMissingShell() throws {
        try machine.remove("/usr/lib/dsp")
        let check = try machine.probe().report["shell"]
        #expect(check.status == "fail")
        #expect(check.evidence.contains("fastrpc_shell_unsigned_3"))
        #expect(check.remedy.contains("hexagon-dsp-binaries"))
    }

    @Test func aShellOfTheBoardsOwnFolder() throws {
        try machine.remove("/usr/lib/dsp")
        let base = "/usr/share/hexagon-dsp"
        let shell = "\(base)/qcs6490/radxa/dragon-q6a/dsp/cdsp/fastrpc_shell_unsigned_3"
        try machine.write("", to: shell)
        // Installed, but no board file says so: the library would not find it.
        var check = try machine.probe().report["shell"]
        #expect(check.status == "fail")
        #expect(
            check.remedy == "sudo install -D -m 644 \(shell) /usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3")

        try machine.write(
            """
            # boards
            machines:
              "Radxa Dragon":
                DSP_LIBRARY_PATH: "other"
              Radxa Dragon Q6A:
                CDSP_ARCH: v68
                DSP_LIBRARY_PATH: qcs6490/radxa/dragon-q6a/dsp  # of this board
              "Zebra":
                DSP_LIBRARY_PATH: "zebra"
            """, to: "\(base)/conf.d/00-boards.yaml")
        check = try machine.probe().report["shell"]
        #expect(check.status == "ok" && check.evidence.contains(shell))

        try machine.write("Another board\0", to: "/sys/firmware/devicetree/base/model")
        check = try machine.probe().report["shell"]
        #expect(check.status == "fail" && check.evidence.contains("does not know \"Another board\""))
    }

    @Test func firmwareAndShellOfDifferentBuildsAreAWarning() throws {
        let firmware = "/lib/firmware/qcom/qcs6490/radxa/dragon-q6a/cdsp.mbn"
        let shell = "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3"
        let mark = "QC_IMAGE_VERSION_STRING="
        try machine.write("QCQQC_\(mark)\0 x\0\(mark)CDSP.HT.2.5-1\0OEM", to: firmware)
        try machine.write("\(mark)CDSP.HT.2.5-1\0", to: shell)
        #expect(try machine.probe().report["build"].status == "ok")
        try machine.write("\(mark)CDSP.HT.2.5-2\0", to: shell)
        let check = try machine.probe().report["build"]
        #expect(check.status == "warn")
        #expect(check.evidence == "\(firmware): CDSP.HT.2.5-1\n\(shell): CDSP.HT.2.5-2")
    }

    @Test(arguments: ["remote_handle64_invoke", "fastrpc_munmap"])
    func aLibraryThatLacksAFunction(name: String) throws {
        try machine.installLibrary(without: [name, "rpcmem_init"])
        let check = try machine.probe().report["library"]
        #expect(check.status == "fail")
        #expect(check.summary == "/usr/lib/libcdsprpc.so.1 lacks \(name)")
        #expect(check.evidence == "without the optional rpcmem_init")
    }

    @Test func whatIsNoLibrary() throws {
        #expect(try machine.probe().report["library"].summary.hasPrefix("no FastRPC library"))
        try machine.write("just text", to: "/usr/lib/libcdsprpc.so")
        #expect(try machine.probe().report["library"].evidence == "not an ELF file")
        // A file of another processor: e_machine 164 is Hexagon.
        try machine.installLibrary()
        let file = URL(fileURLWithPath: machine.scratch.path + "/usr/lib/libcdsprpc.so.1")
        var bytes = try Data(contentsOf: file)
        (bytes[18], bytes[19]) = (164, 0)
        try bytes.write(to: file)
        #expect(try machine.probe().report["library"].evidence.contains("164"))
    }

    @Test func theTextSaysTheSame() throws {
        try machine.installLibrary()
        let good = try machine.runProbe([])
        #expect(good.status == 0)
        #expect(good.output.hasPrefix("cdsp: nothing found that stands in the way of a session\n"))
        #expect(!good.output.contains("\u{1b}"), "no colour into a pipe")
        try machine.remove("/usr/lib/dsp")
        let bad = try machine.runProbe(["--no-session"])
        #expect(bad.status == 1)
        #expect(bad.output.hasPrefix("cdsp: not usable as it is, 1 of 11 checks failed; first: the shell"))
        #expect(bad.output.contains("\nfail  shell "))
    }

    @Test func wrongUsageIs64() throws {
        #expect(try machine.runProbe(["--domain", "gpu"]).status == 64)
        #expect(try machine.runProbe(["--nonsense"]).status == 64)
    }
}
