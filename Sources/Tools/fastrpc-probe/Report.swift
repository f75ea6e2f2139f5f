/// The outcome of one check.
struct Check: Encodable {
    enum Status: String, Encodable {
        case ok, warn, fail, skip
    }

    /// Stable name for scripts.
    var id: String
    var status: Status
    /// The finding, in one line.
    var summary: String
    /// What was seen: paths, numbers, strings.
    var evidence: String
    /// What to do, to be pasted into a shell where that is possible; empty where there is nothing to do.
    var remedy: String

    init(_ id: String, _ status: Status, _ summary: String, evidence: String = "", remedy: String = "") {
        self.id = id
        self.status = status
        self.summary = summary
        self.evidence = evidence
        self.remedy = remedy
    }
}

/// Everything the probe found, in the form of its `--json` output.
struct Report: Encodable {
    struct Host: Encodable {
        var kernel: String?
        var architecture: String
        var model: String?
        var user: String
        var groups: [String]
    }

    struct Node: Encodable {
        var path: String
        var owner: String
        var group: String
        var mode: String
        var accessible: Bool
    }

    struct Remoteproc: Encodable {
        var path: String
        var name: String
        var state: String
        var firmware: String
    }

    struct Device: Encodable {
        var name: String
        var nodes: [Node]
        var remoteproc: Remoteproc?
    }

    var version = 1
    var domain: String
    var host: Host
    var checks: [Check]
    var devices: [Device]

    var failures: [Check] { checks.filter { $0.status == .fail } }

    /// The answer in one line.
    var summary: String {
        if let first = failures.first {
            return
                "\(domain): not usable as it is, \(failures.count) of \(checks.count) checks failed; first: "
                + first.summary
        }
        let warnings = checks.filter { $0.status == .warn }.count
        let remark = warnings == 0 ? "" : ", \(warnings) of \(checks.count) with a warning"
        return "\(domain): nothing found that stands in the way of a session\(remark)"
    }

    /// The report for a reader: the answer first, then every check.
    func text(colour: Bool) -> String {
        var lines = [summary, ""]
        let width = checks.map(\.id.count).max() ?? 0
        let margin = String(repeating: " ", count: 8 + width)
        for check in checks {
            let name = check.id + String(repeating: " ", count: width - check.id.count)
            let status = check.status.rawValue
            let word = status + String(repeating: " ", count: 4 - status.count)
            lines.append("\(colour ? paint(word, check.status) : word)  \(name)  \(check.summary)")
            for line in check.evidence.split(separator: "\n") { lines.append("\(margin)seen: \(line)") }
            for line in check.remedy.split(separator: "\n") { lines.append("\(margin)try:  \(line)") }
        }
        return lines.joined(separator: "\n")
    }

    private func paint(_ word: String, _ status: Check.Status) -> String {
        let code =
            switch status {
            case .ok: 32
            case .warn: 33
            case .fail: 31
            case .skip: 90
            }
        return "\u{1b}[\(code)m\(word)\u{1b}[0m"
    }
}
