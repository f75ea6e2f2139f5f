import Foundation
import TestSupport

/// The contract of `fastrpc-probe --json`.
struct ProbeOutput: Decodable {
    struct Check: Decodable {
        var id: String
        var status: String
        var summary: String
        var evidence: String
        var remedy: String
        var because: String?
    }

    struct Host: Decodable {
        var kernel: String?
        var architecture: String
        var model: String?
        var user: String
        var groups: [String]
    }

    struct Device: Decodable {
        struct Node: Decodable {
            var path: String
            var owner: String
            var group: String
            var mode: String
            var accessible: Bool
        }
        struct Remoteproc: Decodable {
            var path: String
            var name: String
            var state: String
            var firmware: String
        }
        var name: String
        var nodes: [Node]
        var remoteproc: Remoteproc?
    }

    var version: Int
    var domain: String
    var summary: String
    var host: Host
    var checks: [Check]
    var devices: [Device]

    subscript(id: String) -> Check? { checks.first { $0.id == id } }

    /// What somebody should look at. The library is the test machine's own affair.
    var findings: [String: String] {
        checks.filter { ["warn", "fail"].contains($0.status) && $0.id != "library" }
            .reduce(into: [:]) { $0[$1.id] = $1.status }
    }
}
