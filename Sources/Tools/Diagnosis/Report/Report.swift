/// Everything the probe found, in the form of its `--json` output.
package struct Report: Encodable, Sendable {
    package struct Host: Encodable, Sendable {
        package var kernel: String?
        package var architecture: String
        package var model: String?
        package var user: String
        package var groups: [String]
    }

    /// A DSP of which the machine shows a trace.
    package struct Device: Encodable, Sendable {
        package var name: String
        package var nodes: [DeviceNode]
        package var remoteproc: RemoteProcessor?
    }

    /// Goes up when a key is renamed or taken away, or changes its meaning.
    package var version = 2
    package var domain: String
    /// The answer in one line.
    package var summary: String
    package var host: Host
    package var checks: [Check]
    package var devices: [Device]

    init(domain: String, host: Host, checks: [Check], devices: [Device]) {
        self.domain = domain
        self.host = host
        self.checks = checks
        self.devices = devices
        summary = Self.summary(domain, checks)
    }

    package var failures: [Check] { checks.filter { $0.status == .fail } }

    private static func summary(_ domain: String, _ checks: [Check]) -> String {
        let failures = checks.filter { $0.status == .fail }
        if let first = failures.first {
            let others = failures.count == 1 ? "" : " (and \(failures.count - 1) more)"
            return "\(domain) does not work: \(first.summary)\(others)"
        }
        let tried = checks.contains { $0.id == "session-kernel" && $0.status == .ok }
        let warnings = checks.filter { $0.status == .warn }.count
        let remark =
            switch warnings {
            case 0: ""
            case 1: ", with one warning"
            default: ", with \(warnings) warnings"
            }
        return tried
            ? "\(domain) works\(remark)"
            : "\(domain): nothing stands in the way of a session\(remark), but none was tried"
    }
}
