import Testing

/// `virtual-dsp run` on this machine.
package enum VirtualDSPTool {
    /// Why it cannot be used here, in its own words; nil where it works.
    package static let problem: String? = {
        do {
            let result = try Tool.run("virtual-dsp", ["run", "--", "true"])
            return result.exitCode == 0 ? nil : "virtual-dsp: \(result.errors)"
        } catch {
            return "\(error)"
        }
    }()
}

extension Trait where Self == ConditionTrait {
    /// Skips, with the tool's own words, where there can be no virtual DSP.
    package static var needsVirtualDSP: Self {
        .enabled(if: VirtualDSPTool.problem == nil, Comment(rawValue: VirtualDSPTool.problem ?? ""))
    }
}
