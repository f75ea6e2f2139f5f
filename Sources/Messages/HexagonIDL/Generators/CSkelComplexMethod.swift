/// Generates the function of the skel for a method whose parameters hold data of their own: structs with
/// sequences, sequences of sequences, sequences of handles.
struct CSkelComplexMethod {
    let method: Method
    let interface: Interface
    let wire: MethodWire

    func write(_ out: inout SourceWriter, _ walkers: inout CWalkers) throws(IDLError) {
        var declarations: [String] = []
        var before: [String] = []
        var after: [String] = []
        var arguments: [String] = []
        for (index, parameter) in method.parameters.enumerated() {
            let slot = slot(parameter, index, &declarations, &arguments)
            let name = parameter.name
            if parameter.direction == .inrout, slot.type.isCounted {
                // A string or flat sequence: what came in is where the result goes.
                declarations.append("void *_\(name)In = 0;")
                declarations.append("int _\(name)InLen = 0;")
                var incoming = slot
                incoming.value = "_\(name)In"
                incoming.length = "_\(name)InLen"
                before.append(try CSkelWalk.take(incoming, "_in + \(slot.full)", &walkers))
            } else if parameter.direction != .rout {
                before.append(try CSkelWalk.take(slot, "_in + \(slot.full)", &walkers))
            }
            guard parameter.direction != .in else { continue }
            let scalars = wire.primROut.isEmpty ? "0" : "_out + \(slot.scalars)"
            let give = try CSkelWalk.give(slot, "_in + \(slot.counts)", scalars, &walkers)
            if slot.type.isComplex {
                if give != nil {
                    declarations.append("cursor _\(name)Start = *_c;")
                    before.append("_\(name)Start = *_c;")
                }
                if let line = try CSkelWalk.lend(slot, "_in + \(slot.counts)", &walkers) {
                    before.append(line)
                }
            }
            if parameter.direction == .inrout, slot.type.isCounted {
                before.append("if (\(slot.length) < _\(name)InLen) _c->status = AEE_EBADPARM;")
                before.append("if (!_c->status && _\(name)InLen > 0) {")
                before.append(
                    "    __builtin_memmove(\(slot.value), _\(name)In, (size_t)_\(name)InLen * sizeof(\(slot.element)));"
                )
                before.append("}")
            }
            if let give {
                if slot.type.isComplex { after.append("_c = &_\(name)Start;") }
                after.append(give)
            }
        }
        let handle = interface.hasHandle ? "remote_handle64 _h, " : ""
        try out.block("static int skel_\(method.name)(\(handle)uint32_t _sc, remote_arg *_pra) {") {
            (out) throws(IDLError) in
            try checks(&out)
            out.lines(declarations)
            out.lines(before)
            out.line("int _result = _cursor.status;")
            let all = (interface.hasHandle ? ["_h"] : []) + (method.isAsync ? ["0"] : []) + arguments
            out.line("if (_result == AEE_SUCCESS) {")
            out.list("    _result = \(CNames.function(method, of: interface))(", all, ");", limit: 110)
            out.line("}")
            if !after.isEmpty {
                try out.block("if (_result == AEE_SUCCESS) {") { $0.lines(after) }
            }
            out.line("release(&_cursor);")
            out.line("return _result;")
        }
    }

    private func checks(_ out: inout SourceWriter) throws(IDLError) {
        let primIn = wire.primIn.isEmpty ? 0 : 1
        let primROut = wire.primROut.isEmpty ? 0 : 1
        if wire.inBufferCount > 0 {
            out.line("if (REMOTE_SCALARS_INBUFS(_sc) < \(wire.inBufferCount)) return AEE_EBADPARM;")
        }
        if wire.outBufferCount > 0 {
            out.line("if (REMOTE_SCALARS_OUTBUFS(_sc) < \(wire.outBufferCount)) return AEE_EBADPARM;")
        }
        if primIn > 0 {
            out.line("const uint8_t *_in = _pra[0].buf.pv;")
            out.line("if (_pra[0].buf.nLen < \(wire.primInSize)) return AEE_EBADPARM;")
        }
        if primROut > 0 {
            out.line("const remote_arg *_reply = &_pra[REMOTE_SCALARS_INBUFS(_sc)];")
            out.line("uint8_t *_out = _reply->buf.pv;")
            out.line("if (_reply->buf.nLen < \(wire.primROutSize)) return AEE_EBADPARM;")
        }
        out.line("cursor _cursor = begin(_sc, _pra, \(primIn), \(primROut));")
        out.line("cursor *_c = &_cursor;")
    }

    /// Declares the parameter's local and says how it is passed.
    private func slot(
        _ parameter: Parameter, _ index: Int, _ declarations: inout [String], _ arguments: inout [String]
    ) -> CSlot {
        let name = CNames.identifier(parameter.name)
        let type = CNames.type(parameter.type)
        var slot = CSlot(type: parameter.type, value: name, length: name + "Len", offset: name + "Offset")
        slot.full = offset(wire.primIn, index, [.value, .count])
        slot.counts = offset(wire.primIn, index, [.capacity])
        slot.scalars = offset(wire.primROut, index, [.value])
        switch parameter.type.resolved {
        case .sequence, .string, .wideString:
            declarations += ["\(slot.element) *\(name) = 0;", "int \(name)Len = 0;"]
            arguments.append(name)
            let isInText = parameter.direction == .in && !parameter.type.isSequence
            if !isInText { arguments.append(name + "Len") }
        case .dmaHandle:
            declarations += ["int \(name) = 0;", "uint32_t \(name)Offset = 0;", "uint32_t \(name)Len = 0;"]
            arguments += [name, name + "Offset", name + "Len"]
        case .structure, .array:
            declarations += ["\(type) \(name);", "__builtin_memset(&\(name), 0, sizeof \(name));"]
            if case .array = parameter.type.resolved {
                arguments.append(name)
            } else {
                arguments.append("&" + name)
            }
        default:
            declarations.append("\(type) \(name) = 0;")
            arguments.append(parameter.direction == .in ? name : "&" + name)
        }
        return slot
    }

    private func offset(
        _ fields: [MethodWire.Field], _ index: Int, _ roles: [MethodWire.Field.Role]
    ) -> Int {
        fields.first { $0.parameter == index && roles.contains($0.role) }?.offset ?? 0
    }
}

extension IDLType {
    var isSequence: Bool {
        if case .sequence = resolved { true } else { false }
    }
}
