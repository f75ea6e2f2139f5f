import HexagonRPC

/// What came of using the session: a module, a call, buffers, a queue, time.
extension Prober {
    /// The steps after the session, in the order in which they are tried, with the checks that they decide.
    private static let steps = [
        "module", "round-trip", "mapping", "largest-mapping", "call-time", "queue", "reverse-calls",
    ]

    func afterSession(_ found: Findings, _ outcome: SessionOutcome) -> [Check] {
        if let cause = outcome.reason ?? found.cause(["session-kernel"]) {
            return Self.steps.map { Findings.skipped($0, cause) }
        }
        var checks: [Check] = []
        // A step that ended the session.
        var culprit: String?
        for name in Self.steps {
            switch outcome.ending(name) {
            case .done(let step): checks.append(done(step))
            case .failed(let step):
                checks.append(failed(step))
                culprit = name
            case .interrupted(let how, let step):
                checks.append(interrupted(name, how, step))
                culprit = name
            case .notReached:
                checks.append(
                    culprit.map { Findings.skipped(name, .check($0)) }
                        ?? Check(name, .skip, Self.unreached(name)))
            }
        }
        return checks
    }

    /// Why a step was left out though nothing failed.
    private static func unreached(_ name: String) -> String {
        let file = FastRPCProbeModule.file
        switch name {
        case "module": return "neither \(file) nor \(EngineModule.file) is on the search path"
        case "queue": return "a queue needs a module that answers, and \(file) is not on the search path"
        case "reverse-calls": return "the DSP asked nothing of the host"
        default: return "not tried"
        }
    }

    private func done(_ step: SessionStep) -> Check {
        let values = step.values
        switch step.name {
        case "module":
            return Check(
                step.name, .ok, "the DSP loads \(values["modules"] ?? "its modules")",
                evidence: values["paths"] ?? "")
        case "round-trip":
            return Check(step.name, .ok, "data goes to the DSP and back", evidence: values["how"] ?? "")
        case "mapping":
            return Check(step.name, .ok, "buffers can be mapped on the DSP", evidence: values["how"] ?? "")
        case "largest-mapping": return largestMapping(values)
        case "call-time": return callTime(values)
        case "queue": return Check(step.name, .ok, "a message queue works", evidence: values["how"] ?? "")
        default: return reverseCalls(values)
        }
    }

    private func largestMapping(_ values: [String: String]) -> Check {
        let bytes = values["bytes"].flatMap { Int($0) } ?? 0
        let limit = values["limit"].map { " (not more was tried: \($0))" } ?? ""
        return Check(
            "largest-mapping", .ok, "one buffer of \(Self.size(bytes)) can be mapped\(limit)",
            evidence: "tried: \(values["tried"] ?? "?")")
    }

    /// A call that takes longer than this is slow; DSPs at work take less than one.
    private static let slowCall = 20.0

    private func callTime(_ values: [String: String]) -> Check {
        let median = values["median"].flatMap { Double($0) } ?? 0
        let evidence =
            "\(values["count"] ?? "?") calls of \(values["method"] ?? "?"): median \(values["median"] ?? "?") ms, "
            + "fastest \(values["fastest"] ?? "?") ms, slowest \(values["slowest"] ?? "?") ms"
        let text = "an empty call takes \(values["median"] ?? "?") ms"
        guard median > Self.slowCall else { return Check("call-time", .ok, text, evidence: evidence) }
        return Check(
            "call-time", .warn, "\(text); less than 1 ms is usual", evidence: evidence,
            remedy: """
                sudo fuser -v /dev/fastrpc-*  # whether other programs keep the DSP busy
                cat /sys/class/thermal/thermal_zone*/temp  # whether the chip is hot (thousandths of a degree)
                """)
    }

    private func reverseCalls(_ values: [String: String]) -> Check {
        let malformed = values["malformed"].flatMap { Int($0) } ?? 0
        guard malformed > 0 else {
            return Check("reverse-calls", .ok, "the DSP's own calls to the host are in order")
        }
        return Check(
            "reverse-calls", .warn, "the DSP made \(malformed) calls to the host that no correct DSP makes",
            evidence: values["first"] ?? "",
            remedy:
                "apt-cache policy 'hexagon-dsp-binaries*' firmware-qcom-soc  # update the DSP's firmware and "
                + "shell; if it stays so, report it to the board's vendor with: fastrpc-probe --report FILE")
    }

    private func interrupted(_ name: String, _ how: String, _ step: SessionStep?) -> Check {
        if name == "largest-mapping", let bytes = step?.values["bytes"].flatMap({ Int($0) }) {
            return Check(
                name, .warn, "one buffer of \(Self.size(bytes)) can be mapped; a larger one took too long",
                evidence: how, remedy: "free -m  # the machine may be short of memory: use smaller buffers")
        }
        if name == "queue" { return hangingQueue(how) }
        return Check(
            name, .fail, "the DSP does not answer when \(Self.activity(name))", evidence: how,
            remedy: Self.restartRemedy)
    }

    private static func activity(_ name: String) -> String {
        switch name {
        case "module": "it is to load a module"
        case "round-trip", "call-time": "a method is called"
        default: "a buffer is to be mapped"
        }
    }

    private func hangingQueue(_ evidence: String) -> Check {
        Check(
            "queue", .fail, "message queues (dspqueue) hang on this machine; plain calls work",
            evidence: evidence,
            remedy: """
                # use plain calls instead of queues: programs of HexagonRPC, such as engine, do so already
                uname -r; apt-cache policy 'hexagon-dsp-binaries*'  # newer kernel, firmware and shell may cure it
                """)
    }

    private func failed(_ step: SessionStep) -> Check {
        let lost = step.code.map { AEEResult(rawValue: $0).isSessionLost } ?? false
        if lost { return sessionLost(step) }
        switch step.name {
        case "module": return moduleFailed(step)
        case "mapping":
            return Check(
                step.name, .fail,
                [0x02, 0x8000_0402].contains(step.code)
                    ? "the DSP has no memory or addresses left for a buffer"
                    : "no buffer can be mapped on the DSP",
                evidence: Self.evidence(step),
                remedy: """
                    \(Self.freeSessionRemedy)
                    sudo reboot  # if no other program uses the DSP
                    """)
        case "queue" where step.code == 0x0c: return hangingQueue(Self.evidence(step))
        case "queue":
            return Check(
                step.name, .warn, "no message queue (dspqueue) can be made; plain calls work",
                evidence: Self.evidence(step),
                remedy:
                    "# use plain calls instead of queues: programs of HexagonRPC, such as engine, do so already"
            )
        default:
            return Check(
                step.name, .fail, "it fails when \(Self.activity(step.name)): \(Self.describe(step.code))",
                evidence: Self.evidence(step),
                remedy: "fastrpc-probe explain \(Self.hexadecimal(step.code))\n" + Self.restartRemedy)
        }
    }

    private func sessionLost(_ step: SessionStep) -> Check {
        // What EPIPE and ECONNRESET of the kernel become; a process that dies alone answers otherwise.
        let isRestart = step.code == 104
        return Check(
            step.name, .fail,
            isRestart
                ? "the whole DSP restarted when \(Self.activity(step.name))"
                : "the process on the DSP died when \(Self.activity(step.name))",
            evidence: Self.evidence(step),
            remedy: """
                sudo dmesg | grep -i -e fastrpc -e \(domain.name) | tail -30  # what the DSP reported as it crashed
                cat /sys/class/remoteproc/*/state  # wait until it is running, then: fastrpc-probe
                # if it dies again, update firmware and hexagon-dsp-binaries, or report it with: fastrpc-probe --report FILE
                """)
    }

    private func moduleFailed(_ step: SessionStep) -> Check {
        let name = step.values["module"] ?? FastRPCProbeModule.file
        let path = module(name) ?? name
        let folder = Self.folder(of: path)
        var evidence = [path, Self.evidence(step)]
        let missing = step.values["missing"]?.split(separator: "\n").map(String.init) ?? []
        let given = step.values["given"]?.split(separator: "\n").map(String.init) ?? []
        evidence += missing.map { "the DSP asked for \($0) and did not get it" }
        evidence += given.map { "the DSP got \($0)" }
        let (summary, remedy): (String, String)
        switch step.code {
        case 0x8000_0442:
            summary = "\(name) is not what its name says: it lacks the function that is called"
            remedy = """
                readelf -W --dyn-syms \(path) | grep skel_handle_invoke  # must list \
                \(Self.symbol(of: name)); if it does not, it is another module:
                # build or copy \(name) again, and do not strip it
                """
        case 0x8000_0406 where given.contains(name) && !missing.isEmpty:
            summary = "\(name) is found, but \(missing[0]), which it needs, is not"
            remedy = """
                find / -name '\(missing[0])' 2>/dev/null  # often part of the board's DSP package
                sudo cp FILE-FOUND \(folder)/  # beside the module that needs it
                """
        case 0x8000_0406 where given.contains(name):
            summary = "the DSP read \(name) and refused it"
            remedy = """
                readelf -h \(path) | grep -e Machine -e Flags  # must be for Hexagon, of this DSP's version or older
                # build it for the version that the check `capabilities` shows (clang: -mv68)
                """
        case 0x8000_0406:
            summary = "the DSP does not find the module \(name)"
            remedy = """
                ls -l \(path)  # must be readable
                export DSP_LIBRARY_PATH=\(folder)  # absolute folders, separated by ';'
                """
        default:
            summary = "the DSP does not load \(name): \(Self.describe(step.code))"
            remedy = "fastrpc-probe explain \(Self.hexadecimal(step.code))"
        }
        return Check("module", .fail, summary, evidence: evidence.joined(separator: "\n"), remedy: remedy)
    }

    private static func symbol(of module: String) -> String {
        (module == EngineModule.file ? EngineModule.uri : FastRPCProbeModule.uri).symbol
    }
}
