import Diagnosis
import FastRPCLibrary
import Foundation
import TestSupport

/// A folder that looks to the probe like the root of a machine, with owners that the test could not give its files.
final class MadeUpMachine {
    private let folder: TemporaryFolder
    var ownership: [String: FileAttributes] = [:]
    var environment: [String: String] = [:]
    var user = User(name: "alice", groups: ["alice", "audio", "render"])
    /// What comes of trying sessions.
    var kernel = SessionOutcome(steps: RecordedSteps.healthy)
    var library = SessionOutcome(steps: RecordedSteps.library)

    /// An empty folder.
    init() throws {
        folder = try TemporaryFolder()
    }

    static let firmware = "qcom/qcs6490/radxa/dragon-q6a/cdsp.mbn"
    static let shell = "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3"
    static let build = "CDSP.HT.2.5.c3-00134-KODIAK-1"

    /// A Radxa Dragon Q6A on which everything is as it should be.
    static func dragonQ6A() throws -> MadeUpMachine {
        let machine = try MadeUpMachine()
        try machine.write("6.18.2-test\n", to: "/proc/sys/kernel/osrelease")
        let tree = "/sys/firmware/devicetree/base"
        try machine.write("Radxa Dragon Q6A\0", to: "\(tree)/model")
        try machine.write("radxa,dragon-q6a\0qcom,qcs6490\0", to: "\(tree)/compatible")
        try machine.write("", to: "\(tree)/reserved-memory/cdsp@88f00000/no-map")
        let fastRPC = "\(tree)/soc@0/remoteproc@a300000/glink-edge/fastrpc"
        try machine.write("qcom,fastrpc\0", to: "\(fastRPC)/compatible")
        try machine.write("cdsp\0", to: "\(fastRPC)/label")
        for bank in 1...6 {
            try machine.write("qcom,fastrpc-compute-cb\0", to: "\(fastRPC)/compute-cb@\(bank)/compatible")
        }
        try machine.write("", to: "/sys/bus/rpmsg/drivers/qcom,fastrpc/bind")
        for (number, name) in ["adsp", "cdsp"].enumerated() {
            let path = "/sys/class/remoteproc/remoteproc\(number)"
            let firmware = "qcom/qcs6490/radxa/dragon-q6a/\(name).mbn"
            try machine.write("\(name)\n", to: "\(path)/name")
            try machine.write("running\n", to: "\(path)/state")
            try machine.write("\(firmware)\n", to: "\(path)/firmware")
            try machine.write("QC_IMAGE_VERSION_STRING=\(build)\0", to: "/lib/firmware/\(firmware)")
        }
        for node in ["fastrpc-cdsp", "fastrpc-cdsp-secure", "fastrpc-adsp-secure"] {
            try machine.write("", to: "/sys/class/misc/\(node)/dev")
            try machine.write("", to: "/dev/\(node)")
            machine.ownership["/dev/\(node)"] = FileAttributes(owner: "root", group: "render", mode: 0o660)
        }
        try machine.write(
            "# FastRPC\nSUBSYSTEM==\"misc\", KERNEL==\"fastrpc-*\", GROUP=\"render\", MODE=\"0660\"\n",
            to: "/usr/lib/udev/rules.d/60-fastrpc.rules")
        try machine.write("", to: "/dev/dma_heap/system")
        try machine.write("", to: "/dev/dri/renderD128")
        try machine.write("QC_IMAGE_VERSION_STRING=\(build)\0", to: shell)
        try machine.write("", to: "/usr/lib/dsp/cdsp/libhtp_skel.so")
        try machine.installLibrary()
        return machine
    }

    /// A machine that has nothing to do with Qualcomm.
    static func desktop() throws -> MadeUpMachine {
        let machine = try MadeUpMachine()
        try machine.write("6.12.9-test\n", to: "/proc/sys/kernel/osrelease")
        try machine.write("", to: "/dev/dri/renderD128")
        try machine.write("", to: "/usr/lib/libc.so.6")
        return machine
    }

    func write(_ text: String, to path: String) throws { try write(Array(text.utf8), to: path) }

    func write(_ bytes: [UInt8], to path: String) throws {
        let file = URL(fileURLWithPath: folder.path + path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    func link(_ path: String, to target: String) throws {
        let file = URL(fileURLWithPath: folder.path + path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: target)
    }

    func remove(_ path: String) throws {
        try FileManager.default.removeItem(atPath: folder.path + path)
    }

    /// Installs a FastRPC library that has these functions.
    func installLibrary(
        at path: String = "/usr/lib/libcdsprpc.so.1", machine: UInt16? = nil,
        functions: [String] = FastRPCLibrary.requiredSymbols + FastRPCLibrary.optionalSymbols
    ) throws {
        try write(SharedObject.image(machine: machine ?? SharedObject.host, functions), to: path)
    }

    var machine: Machine {
        Machine(root: folder.path, environment: environment, ownership: ownership, user: user)
    }

    /// What the probe says about it.
    func report(_ domain: String = "cdsp", noSession: Bool = false) -> Report {
        let name = DSPName.all.first { $0.name == domain } ?? DSPName.all[0]
        let trial: any SessionTrial =
            noSession
            ? NoTrial(reason: "not tried because of --no-session")
            : RecordedTrial(kernel: kernel, library: library)
        return Prober(machine: machine, domain: name, trial: trial).report()
    }
}

/// Outcomes of trials as a test gives them.
struct RecordedTrial: SessionTrial {
    var kernel: SessionOutcome
    var library: SessionOutcome

    func kernel(_ request: KernelTrialRequest) -> SessionOutcome { kernel }
    func library(_ request: LibraryTrialRequest) -> SessionOutcome { library }
}

/// What trials tell.
enum RecordedSteps {
    static let capabilities = SessionStep(
        "capabilities", .done,
        values: [
            "architecture": "104", "unsignedProcesses": "1", "hvx64": "0", "hvx128": "4",
            "vtcmPage": "4194304",
            "vtcmCount": "1", "hmxDepth": "0", "hmxSpatial": "0",
        ])
    static let session = SessionStep("session", .done, values: ["milliseconds": "21.5"])
    static let module = SessionStep("module", .done, values: ["modules": "libhtp_skel.so"])
    static let roundTrip = SessionStep("round-trip", .done, values: ["how": "4 bytes came back"])
    static let mapping = SessionStep("mapping", .done, values: ["how": "1 MiB mapped and unmapped"])
    static let healthy = [
        capabilities, session, module, roundTrip, mapping,
        SessionStep(
            "largest-mapping", .done, values: ["bytes": "\(3 << 30)", "tried": "64 MiB yes, 3072 MiB yes"]),
        SessionStep(
            "call-time", .done,
            values: [
                "count": "200", "median": "0.31", "fastest": "0.28", "slowest": "0.9",
                "method": "adsp_current_process1.getASID",
            ]),
        SessionStep("reverse-calls", .done, values: ["served": "9", "malformed": "0", "first": ""]),
    ]
    static let library = [SessionStep("library-session", .done, values: ["milliseconds": "30.2"])]

    static func refused(_ code: UInt32, _ text: String) -> SessionOutcome {
        let isOpenable = code != 0x8a
        return SessionOutcome(steps: [
            isOpenable ? capabilities : SessionStep("capabilities", .failed, code: code, text: text),
            SessionStep("session", .failed, code: code, text: text),
        ])
    }
}

/// A shared object with nothing but a table of functions.
enum SharedObject {
    #if arch(arm64)
        static let host: UInt16 = 183
    #elseif arch(riscv64)
        static let host: UInt16 = 243
    #else
        static let host: UInt16 = 62
    #endif

    static func image(machine: UInt16, _ functions: [String]) -> [UInt8] {
        func bytes(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        var strings: [UInt8] = [0]
        var symbols = [UInt8](repeating: 0, count: 24)
        for name in functions {
            symbols += bytes(strings.count, 4) + [0x12, 0] + bytes(1, 2) + bytes(0, 16)
            strings += Array(name.utf8) + [0]
        }
        while strings.count % 8 != 0 { strings.append(0) }
        let (stringOffset, symbolOffset) = (64, 64 + strings.count)
        let sections = symbolOffset + symbols.count
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
        file += bytes(3, 2) + bytes(Int(machine), 2) + bytes(1, 4) + bytes(0, 16) + bytes(sections, 8)
        file += bytes(0, 4) + bytes(64, 2) + bytes(0, 4) + bytes(64, 2) + bytes(3, 2) + bytes(0, 2)
        file += strings + symbols
        func section(_ type: Int, _ offset: Int, _ size: Int, link: Int) -> [UInt8] {
            bytes(0, 4) + bytes(type, 4) + bytes(0, 16) + bytes(offset, 8) + bytes(size, 8) + bytes(link, 4)
                + bytes(0, 20)
        }
        return file + section(0, 0, 0, link: 0) + section(3, stringOffset, strings.count, link: 0)
            + section(11, symbolOffset, symbols.count, link: 1)
    }
}

extension Report {
    subscript(id: String) -> Check? { checks.first { $0.id == id } }
    /// The checks that somebody should look at.
    var findings: [String: Check.Status] {
        checks.filter { $0.status == .warn || $0.status == .fail }.reduce(into: [:]) { $0[$1.id] = $1.status }
    }
}
