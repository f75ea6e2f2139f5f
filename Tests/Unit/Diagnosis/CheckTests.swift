import Diagnosis
import FastRPCLibrary
import Foundation
import Testing

/// One thing is wrong with a Dragon Q6A: one check says so, and what to do.
@Suite("Checks of fastrpc-probe")
struct CheckTests {
    let machine: MadeUpMachine

    init() throws {
        machine = try .dragonQ6A()
    }

    @Test func aGoodMachineHasNoFinding() {
        let report = machine.report()
        #expect(report.findings == [:])
        #expect(report.summary == "cdsp works")
        #expect(report.devices.map(\.name) == ["adsp", "cdsp"])
        #expect(report["engine"]?.status == .ok)
    }

    @Test func withoutASessionTheChecksAreSkipped() {
        let report = machine.report(noSession: true)
        #expect(report.findings == [:])
        #expect(report["session-kernel"]?.status == .skip && report["queue"]?.status == .skip)
        #expect(report.summary.contains("none was tried"))
    }

    @Test func aKernelWithoutTheDriver() throws {
        for path in ["/sys/bus/rpmsg", "/sys/class/misc", "/dev"] { try machine.remove(path) }
        let report = machine.report()
        #expect(report.failures.map(\.id) == ["driver"])
        #expect(report["driver"]?.remedy.contains("CONFIG_QCOM_FASTRPC") == true)
        #expect(report["nodes"]?.because == "driver" && report["engine"]?.because == "driver")
    }

    @Test func nodesThatAreRegisteredButNotThereMeanAContainer() throws {
        try machine.remove("/dev/fastrpc-cdsp")
        #expect(machine.report().findings == [:])
        try machine.remove("/dev/fastrpc-cdsp-secure")
        let report = machine.report()
        #expect(report.findings == ["nodes": .fail])
        #expect(report["nodes"]?.remedy.contains("--device /dev/fastrpc-cdsp") == true)
        #expect(report["nodes"]?.evidence.contains("/dev/fastrpc-adsp-secure") == true)
    }

    @Test func aGroupThatMayOpenTheNodeIsTheRemedy() throws {
        machine.user = User(name: "alice", groups: ["alice"])
        var access = try #require(machine.report()["node-access"])
        #expect(access.status == .fail && access.evidence.contains("60-fastrpc.rules:2: SUBSYSTEM"))
        #expect(access.remedy == "sudo usermod -aG render $USER  # then log out and in again")
        // Who has joined since is told so.
        machine.user = User(name: "alice", groups: ["alice"], listed: ["render"])
        access = try #require(machine.report()["node-access"])
        #expect(access.remedy.hasPrefix("newgrp render"))
        // A node of root's alone needs a rule.
        for path in ["/dev/fastrpc-cdsp", "/dev/fastrpc-cdsp-secure"] {
            machine.ownership[path] = FileAttributes(owner: "root", group: "root", mode: 0o600)
        }
        access = try #require(machine.report()["node-access"])
        #expect(access.remedy.contains("/etc/udev/rules.d/60-fastrpc.rules"))
        // Root may.
        machine.user = User(name: "root", groups: ["root"])
        #expect(machine.report().findings == [:])
    }

    @Test(arguments: ["offline", "crashed", "suspended"])
    func aProcessorThatDoesNotRun(state: String) throws {
        try machine.write("\(state)\n", to: "/sys/class/remoteproc/remoteproc1/state")
        let report = machine.report()
        #expect(report.findings == ["remoteproc": .fail])
        let check = try #require(report["remoteproc"])
        #expect(check.summary.contains(state))
        if state == "offline" {
            #expect(check.remedy.hasPrefix("echo start | sudo tee /sys/class/remoteproc/remoteproc1/state"))
            #expect(check.evidence.contains(MadeUpMachine.build))
        }
        #expect(report["session-kernel"]?.because == "remoteproc")
        #expect(machine.report("adsp")["remoteproc"]?.status == .ok)
    }

    @Test func aProcessorWithoutFirmware() throws {
        try machine.write("offline\n", to: "/sys/class/remoteproc/remoteproc1/state")
        try machine.remove("/lib/firmware/\(MadeUpMachine.firmware)")
        let check = try #require(machine.report()["remoteproc"])
        #expect(check.evidence.contains("no /lib/firmware/\(MadeUpMachine.firmware)"))
        #expect(check.remedy.contains("firmware"))
    }

    /// Newer kernels name a remote processor after its platform device: the firmware tells which it is.
    @Test func aProcessorIsKnownByItsFirmware() throws {
        try machine.write("a300000.remoteproc\n", to: "/sys/class/remoteproc/remoteproc1/name")
        #expect(machine.report()["remoteproc"]?.status == .ok)
        #expect(machine.report("cdsp1")["remoteproc"]?.status == .fail)
        try machine.write("qcom/sa8775p/cdsp1.mbn\n", to: "/sys/class/remoteproc/remoteproc1/firmware")
        #expect(machine.report()["remoteproc"]?.status == .warn)
        try machine.write("qcom/x/qccdsp8380.mbn\n", to: "/sys/class/remoteproc/remoteproc1/firmware")
        #expect(machine.report()["remoteproc"]?.status == .ok)
    }

    @Test func sessionsAreCounted() throws {
        #expect(machine.report()["context-banks"]?.summary == "cdsp has 6 sessions, 0 seen in use")
        let bank = "/sys/firmware/devicetree/base/soc@0/remoteproc@a300000/glink-edge/fastrpc/compute-cb@1"
        try machine.write([0, 0, 0, 3], to: "\(bank)/qcom,nsessions")
        try machine.write("disabled\0", to: bank.dropLast() + "2/status")
        try machine.write("python3\n", to: "/proc/99/comm")
        try machine.link("/proc/99/fd/3", to: "/dev/fastrpc-cdsp-secure")
        let check = try #require(machine.report()["context-banks"])
        #expect(check.summary == "cdsp has 7 sessions, 1 seen in use")
        #expect(check.evidence.contains("python3 (process 99) has 1 open"))
        // All in use: a guess, unless a session is tried.
        for number in 4...9 { try machine.link("/proc/99/fd/\(number)", to: "/dev/fastrpc-cdsp") }
        #expect(machine.report(noSession: true).findings == ["context-banks": .warn])
        #expect(machine.report().findings == [:])
    }

    @Test func aHeapThatIsMissingOrClosedIsAWarning() throws {
        machine.ownership["/dev/dma_heap/system"] = FileAttributes(owner: "root", group: "root", mode: 0o600)
        #expect(machine.report().findings == ["dma-heap": .warn])
        #expect(machine.report()["dma-heap"]?.remedy.contains("SUBSYSTEM==\"dma_heap\"") == true)
        try machine.remove("/dev/dma_heap")
        #expect(machine.report().findings == ["dma-heap": .warn])
    }

    @Test func aMissingShell() throws {
        try machine.remove(MadeUpMachine.shell)
        let report = machine.report()
        #expect(report.findings == ["shell": .fail])
        let check = try #require(report["shell"])
        #expect(check.evidence.contains("fastrpc_shell_unsigned_3"))
        #expect(check.remedy.contains("hexagon-dsp-binaries"))
        #expect(report["session-kernel"]?.because == "shell" && report["build"]?.because == "shell")
    }

    @Test func aShellOfTheBoardsOwnFolder() throws {
        try machine.remove(MadeUpMachine.shell)
        let base = "/usr/share/hexagon-dsp"
        let shell = "\(base)/qcs6490/radxa/dragon-q6a/dsp/cdsp/fastrpc_shell_unsigned_3"
        try machine.write("QC_IMAGE_VERSION_STRING=\(MadeUpMachine.build)\0", to: shell)
        // Installed, but no board file says so: the library would not find it.
        #expect(
            machine.report()["shell"]?.remedy
                == "sudo install -D -m 644 \(shell) /usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3")
        try machine.write(
            """
            machines:
              Radxa Dragon Q6A:
                DSP_LIBRARY_PATH: qcs6490/radxa/dragon-q6a/dsp  # of this board
            """, to: "\(base)/conf.d/00-boards.yaml")
        #expect(machine.report().findings == [:])
        try machine.write("Another board\0", to: "/sys/firmware/devicetree/base/model")
        #expect(machine.report()["shell"]?.evidence.contains("does not know \"Another board\"") == true)
    }

    /// Only the DSP decides whether a pair of builds is wrong.
    @Test func firmwareAndShellOfDifferentBuilds() throws {
        try machine.write("QC_IMAGE_VERSION_STRING=CDSP.HT.2.5-OTHER\0", to: MadeUpMachine.shell)
        #expect(machine.report().findings == [:], "this DSP takes it")
        #expect(machine.report(noSession: true).findings == ["build": .warn])
        for code: UInt32 in [0x8000_054f, 0x8000_0416, 0x8000_0600] {
            machine.kernel = RecordedSteps.refused(code, "create a process")
            let report = machine.report()
            #expect(report.findings == ["build": .fail])
            #expect(report["build"]?.evidence.contains("CDSP.HT.2.5-OTHER") == true)
            #expect(report["session-kernel"]?.because == "build")
        }
        // The same refusal of a pair that belongs together is the session's failure.
        try machine.write("QC_IMAGE_VERSION_STRING=\(MadeUpMachine.build)\0", to: MadeUpMachine.shell)
        #expect(machine.report().findings == ["session-kernel": .fail])
    }

    @Test(arguments: ["remote_handle64_invoke", "fastrpc_munmap"])
    func aLibraryThatLacksAFunction(name: String) throws {
        try machine.installLibrary(
            functions: FastRPCLibrary.requiredSymbols.filter { $0 != name } + ["rpcmem_alloc2"])
        let report = machine.report()
        #expect(report.findings == ["library": .warn])
        #expect(report["library"]?.summary.contains("/usr/lib/libcdsprpc.so.1 lacks \(name)") == true)
        #expect(report["library"]?.evidence.contains("rpcmem_init") == true)
    }

    @Test func whatIsNoLibrary() throws {
        try machine.installLibrary(machine: 164)
        #expect(machine.report()["library"]?.evidence.contains("164") == true)
        try machine.write("just text", to: "/usr/lib/libcdsprpc.so.1")
        #expect(machine.report()["library"]?.evidence == "not an ELF file")
        try machine.remove("/usr/lib/libcdsprpc.so.1")
        let report = machine.report()
        #expect(report.findings == ["library": .warn])
        #expect(report["session-library"]?.status == .skip)
        machine.environment["HEXAGONRPC_LIBRARY"] = "/opt/libcdsprpc.so"
        #expect(machine.report()["library"]?.remedy.hasPrefix("unset HEXAGONRPC_LIBRARY") == true)
    }

    @Test func aSecondLibraryIsInTheWay() throws {
        try machine.link("/usr/lib/libcdsprpc.so", to: "libcdsprpc.so.1")
        #expect(machine.report().findings == [:], "the same file by another name")
        try machine.installLibrary(at: "/opt/qcom/libcdsprpc.so.1")
        machine.environment["LD_LIBRARY_PATH"] = "/opt/qcom"
        let report = machine.report()
        #expect(report.findings == ["library": .warn])
        #expect(report["library"]?.evidence.contains("also /usr/lib/libcdsprpc.so.1") == true)
    }

    @Test func searchPathsOfModules() throws {
        try machine.write("", to: "/opt/a/libx_skel.so")
        try machine.write("", to: "/opt/b/liby_skel.so")
        machine.environment["DSP_LIBRARY_PATH"] = "/opt/a;/opt/b"
        #expect(machine.report().findings == [:])
        #expect(machine.report()["modules"]?.summary == "3 modules on the search path")
        machine.environment["DSP_LIBRARY_PATH"] = "/opt/a:/opt/b"
        #expect(machine.report().findings == ["modules": .fail])
        #expect(machine.report()["modules"]?.remedy == "export DSP_LIBRARY_PATH='/opt/a;/opt/b'")
        machine.environment["DSP_LIBRARY_PATH"] = "/opt/a;/opt/c"
        #expect(machine.report().findings == ["modules": .warn])
        machine.environment = ["ADSP_LIBRARY_PATH": "lib"]
        try machine.write("", to: "lib/x")
        #expect(machine.report()["modules"]?.remedy == "export ADSP_LIBRARY_PATH=\"$(realpath 'lib')\"")
    }

    @Test func acceleratorsOfTheQDADriver() throws {
        try machine.write("", to: "/dev/accel/accel0")
        try machine.write("DRIVER=qda\n", to: "/sys/class/accel/accel0/device/uevent")
        #expect(machine.report()["accel"]?.summary.contains("QDA") == true)
    }

    @Test(arguments: [
        ("capabilities", "capabilities"), ("session", "session-kernel"), ("module", "module"),
        ("round-trip", "round-trip"), ("mapping", "mapping"), ("queue", "queue"), ("call-time", "call-time"),
    ])
    func aDSPThatHangsIsOneFailure(step: String, id: String) throws {
        let before = RecordedSteps.healthy.prefix { $0.name != step }
        machine.kernel = SessionOutcome(steps: Array(before), interrupted: (step, "no answer within 4 s"))
        let report = machine.report()
        #expect(report.findings == [id: .fail])
        #expect(report[id]?.evidence.contains("no answer within 4 s") == true)
    }

    @Test func aLibraryThatFailsAloneIsAFailureOfItsOwn() {
        machine.library = SessionOutcome(
            steps: [SessionStep("library-session", .failed, code: 0x72, text: "open file:///libx.so")])
        #expect(machine.report().findings == ["session-library": .fail])
        machine.library = SessionOutcome(interrupted: ("library-session", "the process died of signal 6"))
        let report = machine.report()
        #expect(report.findings == ["session-library": .fail])
        #expect(report["engine"]?.status == .ok, "which needs no library")
    }

    @Test func oldKernelsAndOldFirmwareAreNoFindings() throws {
        var capabilities = RecordedSteps.capabilities
        capabilities.values["reply"] = "old"
        capabilities.values["unsignedProcesses"] = "0"
        machine.kernel = SessionOutcome(steps: [capabilities] + RecordedSteps.healthy.dropFirst())
        var report = machine.report()
        #expect(report.findings == [:])
        let evidence = try #require(report["capabilities"]?.evidence)
        #expect(evidence.contains("July 2024") && evidence.contains("but it does"))
        machine.kernel = SessionOutcome(
            steps: [SessionStep("capabilities", .done)] + RecordedSteps.healthy.dropFirst())
        report = machine.report()
        #expect(report.findings == [:] && report["capabilities"]?.status == .skip)
    }

    @Test func engineNeedsItsModule() throws {
        try machine.remove("/usr/lib/dsp/cdsp/libhtp_skel.so")
        #expect(machine.report().findings == ["engine": .warn])
    }
}
