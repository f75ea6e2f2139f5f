/// Generates the function of the skel that unpacks one method's call.
struct CSkelMethod {
    private let method: Method
    private let interface: Interface
    private let wire: MethodWire
    private(set) var helpers: Set<CHelper> = []

    /// Statements before and after the call of the implementation, and its arguments.
    private var before: [String] = []
    private var after: [String] = []
    private var arguments: [String] = []
    private var nextIn: Int
    private var nextOut: Int
    private var nextInHandle: Int
    private var nextOutHandle: Int

    init(_ method: Method, interface: Interface) throws(IDLError) {
        self.method = method
        self.interface = interface
        wire = try MethodWire(method)
        nextIn = wire.primIn.isEmpty ? 0 : 1
        nextOut = wire.inBufferCount + (wire.primROut.isEmpty ? 0 : 1)
        nextInHandle = wire.inBufferCount + wire.outBufferCount
        nextOutHandle = nextInHandle + wire.inHandles
    }

    /// Structs that are copied between the wire and C as a whole.
    static func simpleStructs(_ interface: Interface) -> [StructType] {
        var found: [StructType] = []
        func visit(_ type: IDLType) {
            switch type.resolved {
            case .structure(let type) where !type.isComplex:
                if !found.contains(where: { $0 === type }) { found.append(type) }
            case .structure(let type): type.members.forEach { visit($0.type) }
            case .array(let element, _), .sequence(let element): visit(element)
            default: break
            }
        }
        for method in interface.methods { method.parameters.forEach { visit($0.type) } }
        return found
    }

    mutating func write(_ out: inout SourceWriter) throws(IDLError) {
        for (index, parameter) in method.parameters.enumerated() { try add(parameter, index) }
        let handle = interface.hasHandle ? "remote_handle64 _h, " : ""
        try out.block("static int skel_\(method.name)(\(handle)uint32_t _sc, remote_arg *_pra) {") {
            (out) throws(IDLError) in
            checks(&out)
            if wire.primIn.contains(where: { $0.role != .methodIndex }) {
                out.line("const uint8_t *_in = _pra[0].buf.pv;")
            }
            if !wire.primROut.isEmpty { out.line("uint8_t *_out = _pra[\(wire.inBufferCount)].buf.pv;") }
            if wire.scalars(method: 0) == 0 { out.line("(void)_pra;") }
            out.lines(before)
            let function = CNames.function(method, of: interface)
            let all =
                (interface.hasHandle ? ["_h"] : []) + (method.isAsync ? ["0"] : []) + arguments
            if after.isEmpty {
                out.list("return \(function)(", all, ");", limit: 110)
            } else {
                out.list("int _result = \(function)(", all, ");", limit: 110)
                out.line("if (_result != AEE_SUCCESS) return _result;")
                out.lines(after)
                out.line("return AEE_SUCCESS;")
            }
        }
    }

    private func checks(_ out: inout SourceWriter) {
        var conditions = [
            "!has_counts(_sc, \(wire.inBufferCount), \(wire.outBufferCount), \(wire.inHandles), \(wire.outHandles))"
        ]
        if wire.primInSize > 0 { conditions.append("_pra[0].buf.nLen < \(wire.primInSize)") }
        if wire.primROutSize > 0 {
            conditions.append("_pra[\(wire.inBufferCount)].buf.nLen < \(wire.primROutSize)")
        }
        let whole = "if (" + conditions.joined(separator: " || ") + ") return AEE_EBADPARM;"
        if out.margin + whole.count <= 110 { return out.line(whole) }
        for (index, condition) in conditions.enumerated() {
            let isLast = index + 1 == conditions.count
            out.line((index == 0 ? "if (" : "    || ") + condition + (isLast ? ") {" : ""))
        }
        out.line("    return AEE_EBADPARM;")
        out.line("}")
    }

    private func offset(_ index: Int, _ roles: MethodWire.Field.Role..., inReply: Bool = false) -> Int {
        let fields = inReply ? wire.primROut : wire.primIn
        return fields.first { $0.parameter == index && roles.contains($0.role) }?.offset ?? 0
    }

    private mutating func add(_ parameter: Parameter, _ index: Int) throws(IDLError) {
        let name = CNames.identifier(parameter.name)
        switch parameter.type.resolved {
        case .sequence(let element):
            addBuffers(parameter, index, CNames.type(element), stringUnit: nil)
        case .string:
            addBuffers(parameter, index, "char", stringUnit: 1)
        case .wideString:
            addBuffers(parameter, index, "uint16_t", stringUnit: 2)
        case .dmaHandle:
            addHandle(parameter)
        case .structure:
            addValue(parameter, index, argument: "&\(name)")
        case .array:
            addValue(parameter, index, argument: name)
        default:
            addValue(parameter, index, argument: parameter.direction == .in ? name : "&\(name)")
        }
    }

    /// A scalar, struct or array: a local copy, because the wire need not be aligned.
    private mutating func addValue(_ parameter: Parameter, _ index: Int, argument: String) {
        let name = CNames.identifier(parameter.name)
        let extent = parameter.type.extent(.full)
        let type = CNames.type(parameter.type)
        if parameter.direction == .rout {
            // What the implementation leaves unset must not tell what lay on the stack.
            switch parameter.type.resolved {
            case .scalar, .enumeration: before.append("\(type) \(name) = 0;")
            default:
                before.append("\(type) \(name);")
                before.append("__builtin_memset(&\(name), 0, sizeof \(name));")
            }
        } else {
            before.append("\(type) \(name);")
            before.append("__builtin_memcpy(&\(name), _in + \(offset(index, .value)), \(extent.size));")
        }
        if parameter.direction != .in {
            let place = offset(index, .value, inReply: true)
            after.append("__builtin_memcpy(_out + \(place), &\(name), \(extent.size));")
        }
        arguments.append(argument)
    }

    /// A slice of a DMA buffer, whose length only the mapping knows.
    private mutating func addHandle(_ parameter: Parameter) {
        let name = CNames.identifier(parameter.name)
        helpers.insert(.mapping)
        let slot = parameter.direction == .in ? nextInHandle : nextOutHandle
        before.append("uint32_t \(name)Len = 0;")
        before.append(
            "if (adsp_mmap_fd_getinfo(_pra[\(slot)].dma.fd, &\(name)Len) != 0) return AEE_EBADPARM;")
        arguments += ["_pra[\(slot)].dma.fd", "_pra[\(slot)].dma.offset", "\(name)Len"]
        if parameter.direction == .in { nextInHandle += 1 } else { nextOutHandle += 1 }
    }

    /// A flat sequence or a string.
    private mutating func addBuffers(
        _ parameter: Parameter, _ index: Int, _ type: String, stringUnit: Int?
    ) {
        let name = CNames.identifier(parameter.name)
        helpers.insert(.holds)
        if parameter.direction != .rout {
            let count = parameter.direction == .in ? "\(name)Len" : "_\(parameter.name)InLen"
            before.append("uint32_t \(count);")
            before.append("__builtin_memcpy(&\(count), _in + \(offset(index, .count)), 4);")
            if let unit = stringUnit {
                helpers.insert(.isString)
                before.append("if (!is_string(&_pra[\(nextIn)], \(count), \(unit))) return AEE_EBADPARM;")
            } else {
                before.append("if (!holds(&_pra[\(nextIn)], \(count), sizeof(\(type)))) return AEE_EBADPARM;")
            }
            if parameter.direction == .in {
                arguments.append("_pra[\(nextIn)].buf.pv")
                if stringUnit == nil { arguments.append("(int)\(count)") }
            }
            nextIn += 1
        }
        guard parameter.direction != .in else { return }
        before.append("uint32_t \(name)Len;")
        before.append("__builtin_memcpy(&\(name)Len, _in + \(offset(index, .capacity)), 4);")
        before.append("if (!holds(&_pra[\(nextOut)], \(name)Len, sizeof(\(type)))) return AEE_EBADPARM;")
        if parameter.direction == .inrout {
            before.append("if (\(name)Len < _\(parameter.name)InLen) return AEE_EBADPARM;")
            before.append(
                "__builtin_memmove(_pra[\(nextOut)].buf.pv, _pra[\(nextIn - 1)].buf.pv, (size_t)_\(parameter.name)InLen * sizeof(\(type)));"
            )
        }
        if stringUnit != nil {
            after.append("if (\(name)Len > 0) ((\(type) *)_pra[\(nextOut)].buf.pv)[\(name)Len - 1] = 0;")
        }
        arguments.append("_pra[\(nextOut)].buf.pv")
        arguments.append("(int)\(name)Len")
        nextOut += 1
    }
}
