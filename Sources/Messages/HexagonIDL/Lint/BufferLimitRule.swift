/// A call that nearly fills the scalars word.
enum BufferLimitRule: LintRule {
    static let name = "buffer-limit"
    static let summary = "a call comes near the 255 buffers or 15 handles that it can carry"

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        for method in unit.methods {
            guard let wire = try? MethodWire(method) else { continue }
            let buffers = max(wire.inBufferCount, wire.outBufferCount)
            let handles = max(wire.inHandles, wire.outHandles)
            guard buffers > 200 || handles > 13 else { continue }
            report(
                warning(
                    method.location,
                    "'\(method.name)' takes \(max(wire.inBufferCount, wire.outBufferCount)) of 255 buffers "
                        + "and \(handles) of 15 handles",
                    hint: "pack what belongs together into one sequence of structs"))
        }
    }
}
