/// What the flattened device tree, as `/sys` shows it, says about the DSPs.
struct DeviceTree {
    static let base = "/sys/firmware/devicetree/base"

    /// The node that the FastRPC driver binds to, `qcom,fastrpc`.
    struct FastRPC {
        var path: String
        /// `label`, for example `cdsp`.
        var label: String
        /// Children `qcom,fastrpc-compute-cb`: each is a session of the DSP, or several.
        var contextBanks: Int
        /// Sessions that the context banks make, with `qcom,nsessions`.
        var sessions: Int
        /// `memory-region`: memory that the DSP's static processes take their heap from.
        var hasMemoryRegion: Bool
        /// Whether this or a node above it says `status = "disabled"`.
        var isDisabled: Bool
    }

    let machine: Machine

    var isThere: Bool { machine.isDirectory(Self.base) }

    /// Every node of the FastRPC driver.
    func fastRPCNodes() -> [FastRPC] {
        var found: [FastRPC] = []
        walk(Self.base, depth: 7, isDisabled: false) { path, isDisabled in
            guard strings("\(path)/compatible").contains("qcom,fastrpc") else { return true }
            let banks = machine.list(path).map { "\(path)/\($0)" }.filter {
                strings("\($0)/compatible").contains("qcom,fastrpc-compute-cb") && !disabled($0)
            }
            found.append(
                FastRPC(
                    path: path, label: machine.text("\(path)/label") ?? "?", contextBanks: banks.count,
                    sessions: banks.reduce(0) { $0 + max(1, number("\($1)/qcom,nsessions") ?? 1) },
                    hasMemoryRegion: machine.exists("\(path)/memory-region"), isDisabled: isDisabled))
            return false
        }
        return found
    }

    /// Names of the regions under `reserved-memory`.
    func reservedRegions() -> [String] {
        let path = "\(Self.base)/reserved-memory"
        return machine.list(path).filter { machine.isDirectory("\(path)/\($0)") }
    }

    /// Visits folders, those below one only where `visit` says so.
    private func walk(
        _ path: String, depth: Int, isDisabled: Bool, _ visit: (String, Bool) -> Bool
    ) {
        let isDisabled = isDisabled || disabled(path)
        guard depth > 0, visit(path, isDisabled) else { return }
        for name in machine.list(path) where machine.isDirectory("\(path)/\(name)") {
            walk("\(path)/\(name)", depth: depth - 1, isDisabled: isDisabled, visit)
        }
    }

    private func disabled(_ path: String) -> Bool {
        guard let status = machine.text("\(path)/status") else { return false }
        return status != "okay" && status != "ok"
    }

    private func strings(_ path: String) -> [Substring] {
        machine.text(path)?.split(separator: "\0") ?? []
    }

    /// A cell, which is big-endian.
    private func number(_ path: String) -> Int? {
        guard let bytes = machine.bytes(path), bytes.count == 4 else { return nil }
        return bytes.reduce(0) { $0 << 8 | Int($1) }
    }
}
