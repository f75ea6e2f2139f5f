import Foundation
import Testing

/// The built probe, beside the test program.
let probeExecutable: String? = {
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let path = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("fastrpc-probe")
        .path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
}()

/// Root may do anything, so permission can be tested only by a root that has given up its capabilities.
let canDropCapabilities = getuid() != 0 || FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")

/// A folder that looks to the probe like the root of a machine.
final class FakeMachine {
    let scratch: ScratchDirectory

    /// A Radxa Dragon Q6A on which everything is as it should be.
    init() throws {
        scratch = try ScratchDirectory()
        try write("6.18.0-test\n", to: "/proc/sys/kernel/osrelease")
        try write("Radxa Dragon Q6A\0", to: "/sys/firmware/devicetree/base/model")
        try write("radxa,dragon-q6a\0qcom,qcs6490\0", to: "/sys/firmware/devicetree/base/compatible")
        try write("", to: "/sys/bus/rpmsg/drivers/qcom,fastrpc/bind")
        for (number, name) in ["adsp", "cdsp"].enumerated() {
            let path = "/sys/class/remoteproc/remoteproc\(number)"
            try write("\(name)\n", to: "\(path)/name")
            try write("running\n", to: "\(path)/state")
            try write("qcom/qcs6490/radxa/dragon-q6a/\(name).mbn\n", to: "\(path)/firmware")
            try write("", to: "/lib/firmware/qcom/qcs6490/radxa/dragon-q6a/\(name).mbn")
        }
        for node in ["fastrpc-cdsp", "fastrpc-cdsp-secure", "fastrpc-adsp-secure"] {
            try write("", to: "/sys/class/misc/\(node)/dev")
            try write("", to: "/dev/\(node)")
        }
        try write("", to: "/dev/dma_heap/system")
        try write("", to: "/dev/dri/renderD128")
        try write("", to: "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3")
    }

    func write(_ text: String, to path: String) throws {
        let file = scratch.path + path
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: false, encoding: .utf8)
    }

    func remove(_ path: String) throws {
        try FileManager.default.removeItem(atPath: scratch.path + path)
    }

    func deny(_ path: String) throws {
        try #require(chmod(scratch.path + path, 0) == 0)
    }

    /// Installs a FastRPC library, complete or without some functions.
    func installLibrary(without missing: [String] = []) throws {
        let file = try FixtureLibrary.build(in: scratch, name: "fixture", without: missing)
        let folder = scratch.path + "/usr/lib"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: file, toPath: "\(folder)/libcdsprpc.so.1")
    }

    /// What the probe says about it.
    func probe(
        _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws -> (report: ProbeReport, status: Int32) {
        let result = try runProbe(["--json"] + arguments, environment: environment)
        return (
            try JSONDecoder().decode(ProbeReport.self, from: Data(result.output.utf8)), result.status
        )
    }

    func runProbe(
        _ arguments: [String], environment: [String: String] = [:]
    ) throws -> (output: String, errors: String, status: Int32) {
        var command = [try #require(probeExecutable)] + arguments
        if getuid() == 0 && canDropCapabilities {
            command = ["/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all"] + command
        }
        let machine = [
            "FASTRPC_PROBE_ROOT": scratch.path, "HEXAGONRPC_LIBRARY": "", "LD_LIBRARY_PATH": "",
        ]
        return try run(
            command[0], Array(command.dropFirst()), environment: machine.merging(environment) { $1 })
    }
}

/// The contract of `fastrpc-probe --json`.
struct ProbeReport: Decodable {
    struct Check: Decodable {
        var id: String
        var status: String
        var summary: String
        var evidence: String
        var remedy: String
    }

    struct Host: Decodable {
        var kernel: String
        var architecture: String
        var model: String
        var user: String
        var groups: [String]
    }

    struct Device: Decodable {
        struct Node: Decodable {
            var path: String
            var mode: String
            var accessible: Bool
        }
        struct Remoteproc: Decodable {
            var path: String
            var state: String
        }
        var name: String
        var nodes: [Node]
        var remoteproc: Remoteproc?
    }

    var version: Int
    var host: Host
    var checks: [Check]
    var devices: [Device]

    subscript(id: String) -> Check {
        get throws { try #require(checks.first { $0.id == id }) }
    }

    var failed: [String] { checks.filter { $0.status == "fail" }.map(\.id) }
}
