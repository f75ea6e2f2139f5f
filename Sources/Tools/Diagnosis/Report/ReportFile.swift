import Foundation

/// The report as one text file, to attach to a bug report, with nothing private in it.
package struct ReportFile {
    private let report: Report
    private let machine: Machine

    package init(_ report: Report, machine: Machine) {
        self.report = report
        self.machine = machine
    }

    /// The file's text.
    package var text: String {
        let host = report.host
        var lines = [
            "fastrpc-probe report, version \(report.version)",
            "User, host and folder names, serial numbers and addresses are masked.",
            "",
            "kernel        \(host.kernel ?? "?") (\(host.architecture))",
            "board         \(host.model ?? "?")",
            "compatible    \(machine.compatible.joined(separator: ", "))",
            "system        \(system)",
            "user          \(host.user) in \(host.groups.joined(separator: ", "))",
            "DSP           \(report.domain)",
        ]
        for name in [
            "DSP_LIBRARY_PATH", "ADSP_LIBRARY_PATH", "HEXAGONRPC_LIBRARY", "LD_LIBRARY_PATH", "MACHINE_NAME",
        ] {
            if let value = machine.environment[name] { lines.append("\(name)=\(value)") }
        }
        for device in report.devices {
            let nodes = device.nodes.map(\.description).joined(separator: ", ")
            let processor = device.remoteproc.map { "\($0.state), \($0.firmware)" } ?? "no remote processor"
            lines.append("\(device.name): \(processor)\(nodes.isEmpty ? "" : "; \(nodes)")")
        }
        lines += ["", report.text(Report.TextStyle(verbose: true)), ""]
        return Mask(machine: machine).apply(lines.joined(separator: "\n"))
    }

    /// Writes it; a file of that name is replaced only when all of it is there.
    package func write(to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    private var system: String {
        let line = machine.lines("/etc/os-release").first { $0.hasPrefix("PRETTY_NAME=") }
        return line.map { String($0.dropFirst("PRETTY_NAME=".count)).trimmingCharacters(in: ["\""]) } ?? "?"
    }
}
