import ErrorCodes
import HexagonRPC

/// What came of asking the DSP and of opening a session, through the kernel's driver and through libcdsprpc.
extension Prober {
    static func describe(_ code: UInt32?) -> String {
        guard let code else { return "an error without a code" }
        let result = AEEResult(rawValue: code)
        return "\(result)" + (result.meaning.map { ", \($0)" } ?? "")
    }

    /// The evidence of a step that failed.
    static func evidence(_ step: SessionStep) -> String {
        ([step.text ?? step.name, describe(step.code)] + log(step)).joined(separator: "\n")
    }

    /// What the DSP logged meanwhile.
    static func log(_ step: SessionStep) -> [String] {
        step.values["log"]?.split(separator: "\n").map { "the DSP says: \($0)" } ?? []
    }

    static let restartRemedy = """
        sudo dmesg | grep -i -e fastrpc -e remoteproc | tail  # what the kernel saw
        sudo reboot  # a DSP that hangs comes back with the machine
        """

    func capabilityCheck(_ found: Findings, _ outcome: SessionOutcome) -> Check {
        let id = "capabilities"
        if let reason = outcome.reason { return Findings.skipped(id, reason) }
        switch outcome.ending("capabilities") {
        case .done(let step):
            guard step.values["architecture"] != nil else {
                return Check(id, .skip, "this DSP's firmware is too old to be asked what it can do")
            }
            return capabilities(step.values, sessionWorks: Self.isDone(outcome.ending("session")))
        case .failed(let step):
            // What prevents the session will be said there.
            if case .done = outcome.ending("session") {
                return Check(
                    id, .warn, "the DSP cannot be asked what it can do", evidence: Self.evidence(step),
                    remedy: "fastrpc-probe explain \(Self.hexadecimal(step.code))")
            }
            if case .failed = outcome.ending("session") {
                return Findings.skipped(
                    id, .check(found["build"]?.status == .fail ? "build" : "session-kernel"))
            }
            return Check(
                id, .fail, "the DSP cannot be asked what it can do", evidence: Self.evidence(step),
                remedy: sessionRemedy(step))
        case .interrupted(let how, _):
            return Check(
                id, .fail, "the DSP does not answer", evidence: "asked what it can do: \(how)",
                remedy: Self.restartRemedy)
        case .notReached: return Check(id, .skip, "the DSP was not asked")
        }
    }

    static func isDone(_ ending: SessionOutcome.Ending) -> Bool {
        if case .done = ending { return true }
        return false
    }

    private func capabilities(_ values: [String: String], sessionWorks: Bool) -> Check {
        func number(_ name: String) -> Int { values[name].flatMap { Int($0) } ?? 0 }
        let architecture = "v" + String(number("architecture") & 0xff, radix: 16)
        var parts = ["Hexagon \(architecture)"]
        if number("hvx128") > 0 { parts.append("HVX") }
        let vtcm = number("vtcmPage") * max(1, number("vtcmCount"))
        if vtcm > 0 { parts.append("VTCM \(Self.size(vtcm))") }
        if number("hmxDepth") > 0 || number("hmxSpatial") > 0 { parts.append("HMX") }
        var evidence = values.sorted { $0.key < $1.key }.filter { Int($0.value) != nil }
            .map { "\($0.key) \($0.value)" }
        evidence = [evidence.joined(separator: ", ")]
        if number("unsignedProcesses") > 0 {
            parts.append("takes unsigned modules")
        } else if sessionWorks {
            evidence.append("it says that it takes no unsigned modules, but it does: old firmware answers so")
        } else {
            evidence.append("it says that it takes no unsigned modules; some firmware says so and takes them")
        }
        if values["reply"] == "old" {
            evidence.append(
                "this kernel answers in the wrong field, as those before July 2024 do; it was read there")
        }
        return Check(
            "capabilities", .ok, parts.joined(separator: ", "), evidence: evidence.joined(separator: "\n"))
    }

    func kernelSessionCheck(_ found: Findings, _ outcome: SessionOutcome) -> Check {
        let id = "session-kernel"
        if let cause = outcome.reason ?? found.cause(["shell", "build"]) {
            return Findings.skipped(id, cause)
        }
        switch outcome.ending("session") {
        case .done(let step):
            return Check(
                id, .ok,
                "a session opens through the kernel's driver, in \(step.values["milliseconds"] ?? "?") ms",
                evidence: "a process for unsigned modules on \(domain.name), session 0")
        case .failed(let step):
            let users = step.code == 0x8a ? nodeUsers().map { "\n\($0.description)" }.joined() : ""
            return Check(
                id, .fail, sessionSummary(step), evidence: Self.evidence(step) + users,
                remedy: sessionRemedy(step))
        case .interrupted(let how, _):
            return Check(
                id, .fail, "the DSP does not answer when a session is opened", evidence: how,
                remedy: Self.restartRemedy)
        case .notReached:
            return Findings.skipped(id, found.cause(["capabilities"]) ?? .other("no session was tried"))
        }
    }

    private func sessionSummary(_ step: SessionStep) -> String {
        switch step.code {
        case 0x8a: "every session of \(domain.name) is in use by other programs"
        case let code? where Self.buildMismatchCodes.contains(code):
            "the DSP refuses to start a process: its firmware does not take this shell"
        case 0x8000_0402, 0x02: "the DSP has no memory for another process"
        default: "no session can be opened: \(Self.describe(step.code))"
        }
    }

    private func sessionRemedy(_ step: SessionStep) -> String {
        switch step.code {
        case 0x8a, 0x8000_0402, 0x02: return Self.freeSessionRemedy
        case let code? where Self.buildMismatchCodes.contains(code):
            let heap =
                fastRPC.map { $0.hasMemoryRegion } == false
                ? "\n# some boards also lack memory for the DSP in the device tree: look for a kernel update"
                : ""
            return """
                apt-cache policy firmware-qcom-soc linux-firmware 'hexagon-dsp-binaries*'  # firmware and shell must \
                be of one release
                sudo apt update && sudo apt full-upgrade  # then: sudo reboot
                """ + heap
        case let code?:
            let advice = ErrorCodes.advice(code, in: .openNode)
            return """
                fastrpc-probe explain \(Self.hexadecimal(code))\(advice.isEmpty ? "" : "  # \(advice)")
                sudo dmesg | grep -i fastrpc | tail  # what the kernel saw
                """
        case nil: return "sudo dmesg | grep -i fastrpc | tail  # what the kernel saw"
        }
    }

    static func hexadecimal(_ code: UInt32?) -> String { "0x" + String(code ?? 0, radix: 16) }

    func librarySessionCheck(_ found: Findings) -> Check {
        let id = "session-library"
        let outcome = libraryOutcome(found)
        if let reason = outcome.reason { return Findings.skipped(id, reason) }
        let file = libraryFile() ?? "libcdsprpc"
        let notOurs = "# programs of HexagonRPC do not need the library; for others:\n"
        switch outcome.ending("library-session") {
        case .done(let step):
            let called = step.values["called"].map { ", \($0)" } ?? ""
            return Check(
                id, .ok,
                "a session opens through libcdsprpc\(called), in \(step.values["milliseconds"] ?? "?") ms",
                evidence: file)
        case .failed(let step):
            let causes =
                step.code == 0x72
                ? "# the kernel's driver lets this user in, so it is a matter of the library: a board that its "
                    + "configuration does not know, or another search path\n" : ""
            return Check(
                id, .fail, "no session opens through libcdsprpc, though one does without it",
                evidence: "\(file)\n\(Self.evidence(step))",
                remedy: notOurs + causes + """
                    journalctl -b | grep -i -e rpc | tail -30  # the library's own messages
                    fastrpc-probe explain \(Self.hexadecimal(step.code))
                    """)
        case .interrupted(let how, _):
            return Check(
                id, .fail,
                "libcdsprpc hangs or crashes when a session is opened, though one opens without it",
                evidence: "\(file)\n\(how)",
                remedy: notOurs
                    + "dpkg -S \(file); apt-cache policy libcdsprpc1 fastrpc  # update it, or report it")
        case .notReached:
            return Check(
                id, .fail, "libcdsprpc cannot be loaded", evidence: file,
                remedy: notOurs + "ldd \(file)  # shows a library that it lacks")
        }
    }

    /// A size in the largest unit that divides it.
    static func size(_ byteCount: Int) -> String {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)]
        where byteCount >= 1 << shift && byteCount % (1 << shift) == 0 {
            return "\(byteCount >> shift) \(unit)"
        }
        return byteCount < 1 << 20 ? "\(byteCount) bytes" : "\(byteCount >> 20) MiB"
    }
}
