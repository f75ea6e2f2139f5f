import Diagnosis
import Foundation
import Testing

/// The probe's output, as text and as JSON, word by word. The files were read and found right; to write them anew,
/// set HEXAGONRPC_WRITE_SNAPSHOTS, and read what has changed.
@Suite("Output of fastrpc-probe")
struct SnapshotTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
        "Snapshots")

    /// A healthy machine, each of the five causes of 0x72, and a machine without a DSP.
    static let machines: [String: @Sendable () throws -> MadeUpMachine] = [
        "healthy": { try .dragonQ6A() },
        "no-driver": {
            let machine = try MadeUpMachine.dragonQ6A()
            for path in [
                "/sys/bus/rpmsg", "/sys/class/misc", "/dev/fastrpc-cdsp", "/dev/fastrpc-cdsp-secure",
            ] {
                try machine.remove(path)
            }
            try machine.remove("/dev/fastrpc-adsp-secure")
            try machine.write("", to: "/lib/modules/6.18.2-test/kernel/drivers/misc/fastrpc.ko.xz")
            return machine
        },
        "no-permission": {
            let machine = try MadeUpMachine.dragonQ6A()
            machine.user = User(name: "alice", groups: ["alice", "audio"])
            return machine
        },
        "dsp-offline": {
            let machine = try MadeUpMachine.dragonQ6A()
            try machine.write("offline\n", to: "/sys/class/remoteproc/remoteproc1/state")
            for name in ["fastrpc-cdsp", "fastrpc-cdsp-secure"] {
                try machine.remove("/dev/\(name)")
                try machine.remove("/sys/class/misc/\(name)")
            }
            return machine
        },
        "no-free-session": {
            let machine = try MadeUpMachine.dragonQ6A()
            try machine.write("llama-server\n", to: "/proc/812/comm")
            for number in 5...10 { try machine.link("/proc/812/fd/\(number)", to: "/dev/fastrpc-cdsp") }
            machine.kernel = RecordedSteps.refused(
                0x8a, "open /dev/fastrpc-cdsp: Device or resource busy (errno 16)")
            return machine
        },
        "plain-node-only": {
            let machine = try MadeUpMachine.dragonQ6A()
            machine.ownership["/dev/fastrpc-cdsp-secure"] = FileAttributes(
                owner: "root", group: "root", mode: 0o600)
            return machine
        },
        "not-qualcomm": { try .desktop() },
    ]

    @Test(arguments: machines.keys.sorted())
    func text(name: String) throws {
        let make = try #require(Self.machines[name])
        let report = try make().report()
        try Self.compare(report.text(Report.TextStyle()), "\(name).txt")
    }

    @Test(arguments: machines.keys.sorted())
    func json(name: String) throws {
        let make = try #require(Self.machines[name])
        let report = try make().report()
        try Self.compare(try report.json(pretty: true), "\(name).json")
    }

    /// Every file is compared with something.
    @Test func noFileIsLeftOver() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(Set(files) == Set(Self.machines.keys.flatMap { ["\($0).txt", "\($0).json"] }))
    }

    private static func compare(_ output: String, _ name: String) throws {
        // What is this machine's alone.
        var text = output + "\n"
        for architecture in ["x86_64", "aarch64", "riscv64"] {
            text = text.replacingOccurrences(of: architecture, with: "ARCHITECTURE")
        }
        let file = folder.appendingPathComponent(name)
        if ProcessInfo.processInfo.environment["HEXAGONRPC_WRITE_SNAPSHOTS"] != nil {
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == text)
    }
}
