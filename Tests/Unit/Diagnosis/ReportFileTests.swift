import Diagnosis
import Foundation
import TestSupport
import Testing

/// What leaves the machine has nothing private in it, and still says what is wrong.
@Suite("Report files of fastrpc-probe")
struct ReportFileTests {
    /// What must not be found in a report.
    static let secrets = [
        "wilhelmina", "Wilhelmina Zuckerkandl", "Zuckerkandl", "kellerboard", "kellerboard.example.org",
        "4711c0ffee",
        "9f8e7d6c5b4a", "bartholomew", "192.168.77.12", "02:1a:7d:da:71:13",
        "b7c9d2e1f0a84d6e8b1c2d3e4f5a6b7c",
        "w.zuckerkandl@example.org",
    ]

    private func privateMachine() throws -> MadeUpMachine {
        let machine = try MadeUpMachine.dragonQ6A()
        machine.user = User(name: "wilhelmina", groups: ["wilhelmina", "audio"])
        try machine.write("kellerboard.example.org\n", to: "/proc/sys/kernel/hostname")
        try machine.write("kellerboard\n", to: "/etc/hostname")
        try machine.write("4711c0ffee\0", to: "/sys/firmware/devicetree/base/serial-number")
        try machine.write("9f8e7d6c5b4a\n", to: "/sys/devices/soc0/serial_number")
        try machine.write("b7c9d2e1f0a84d6e8b1c2d3e4f5a6b7c\n", to: "/etc/machine-id")
        try machine.write(
            "root:x:0:0:root:/root:/bin/bash\nwilhelmina:x:1000:1000:Wilhelmina Zuckerkandl,,,:/home/wilhelmina:/bin/sh\n"
                + "bartholomew:x:1001:1001::/srv/bartholomew:/bin/sh\n", to: "/etc/passwd")
        try machine.write("", to: "/home/wilhelmina/x")
        machine.environment = [
            "USER": "wilhelmina", "HOME": "/home/wilhelmina", "HOSTNAME": "kellerboard",
            "DSP_LIBRARY_PATH":
                "/home/wilhelmina/dsp;/home/bartholomew/lib;/srv/bartholomew/dsp;/mnt/4711c0ffee/b7c9d2e1f0a84d6e8b1c2d3e4f5a6b7c",
            "MACHINE_NAME":
                "board of w.zuckerkandl@example.org 192.168.77.12 02:1a:7d:da:71:13 serial=9f8e7d6c5b4a",
            "LD_LIBRARY_PATH": "/net/kellerboard.example.org/lib:/home/wilhelmina/lib",
        ]
        try machine.write("wilhelmina-app\n", to: "/proc/77/comm")
        try machine.link("/proc/77/fd/4", to: "/dev/fastrpc-cdsp")
        machine.ownership["/dev/fastrpc-cdsp"] = FileAttributes(
            owner: "bartholomew", group: "wilhelmina", mode: 0o600)
        return machine
    }

    @Test func nothingPrivateIsInIt() throws {
        let machine = try privateMachine()
        let report = machine.report()
        // It would be there without the mask, or this would show nothing.
        let bare = report.text(Report.TextStyle(verbose: true))
        #expect(bare.contains("wilhelmina") && bare.contains("bartholomew"))
        let text = ReportFile(report, machine: machine.machine).text
        for secret in Self.secrets {
            #expect(!text.lowercased().contains(secret.lowercased()), "\(secret)")
        }
    }

    @Test func whatIsWrongIsStillThere() throws {
        let machine = try privateMachine()
        let text = ReportFile(machine.report(), machine: machine.machine).text
        for word in [
            "Radxa Dragon Q6A", "6.18.2-test", "/dev/fastrpc-cdsp-secure", "root:render 0660", "node-access",
            MadeUpMachine.firmware, MadeUpMachine.build, "DSP_LIBRARY_PATH=/home/USER/dsp;/home/USER/lib",
            "sudo usermod -aG render $USER",
        ] {
            #expect(text.contains(word), "\(word)")
        }
        #expect(!text.contains("\u{1b}"))
    }

    @Test func itReplacesAFileWhole() throws {
        let folder = try TemporaryFolder()
        let machine = try MadeUpMachine.dragonQ6A()
        let path = try folder.write(Array("old".utf8), to: "report.txt")
        try ReportFile(machine.report(), machine: machine.machine).write(to: path)
        #expect(try String(contentsOfFile: path, encoding: .utf8).hasPrefix("fastrpc-probe report"))
        #expect(try folder.contents == ["report.txt"])
        #expect(throws: (any Error).self) {
            try ReportFile(machine.report(), machine: machine.machine).write(to: folder.path("no/report.txt"))
        }
    }
}
