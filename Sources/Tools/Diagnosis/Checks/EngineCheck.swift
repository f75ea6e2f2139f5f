import HexagonRPC

/// What `engine` would use on this machine.
extension Prober {
    func engineCheck(_ found: Findings) -> Check {
        guard domain.name == Domain.compute.name else {
            return Check("engine", .skip, "engine uses \(Domain.compute) only")
        }
        let needed = [
            "driver", "remoteproc", "nodes", "node-access", "shell", "build", "modules", "capabilities",
            "session-kernel", "module", "round-trip", "mapping",
        ]
        if case .check(let name)? = found.cause(needed) {
            return Check("engine", .skip, "engine uses the CPU because of `\(name)`", because: name)
        }
        guard let file = module(EngineModule.file) else {
            return Check(
                "engine", .warn,
                "engine uses the CPU: \(EngineModule.file), its program for the DSP, is not found",
                evidence: "no \(EngineModule.file) on the search path of the check `modules`",
                remedy:
                    "export DSP_LIBRARY_PATH=/absolute/folder  # the one that has \(EngineModule.file), built "
                    + "for this DSP")
        }
        let tried = found["session-kernel"]?.status == .ok
        return Check(
            "engine", .ok,
            "engine \(tried ? "uses" : "would try") htp0, through the kernel's driver (--device htp0 --transport kernel)",
            evidence: file)
    }
}
