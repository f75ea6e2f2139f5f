/// Generates one method of the Swift stub.
struct SwiftMethod {
    private let method: Method
    private let interface: Interface
    private let typeName: (String) -> String

    /// What the parameters become.
    private var parameters: [String] = []
    /// Statements before and after the call.
    private var packing: [String] = []
    private var unpacking: [String] = []
    /// Names and types of what is returned.
    private var results: [(name: String, type: String, value: String)] = []
    private var isPlainReply = true
    private var names: Set<String> = []
    private var call = "call"
    private var reply = "reply"

    init(_ method: Method, interface: Interface, typeName: @escaping (String) -> String) throws(IDLError) {
        self.method = method
        self.interface = interface
        self.typeName = typeName
        guard !method.isAsync else {
            throw IDLError(
                at: method.location, "the Swift stub does not support async methods ('\(method.name)')",
                hint: "leave out async, or generate a C stub")
        }
        let names = Set(method.parameters.map { SwiftNames.lowerCamel($0.name) })
        while names.contains(call) { call += "_" }
        while names.contains(reply) { reply += "_" }
        // Values come back in parameter order; buffers are read whenever the parameter is reached.
        for parameter in method.parameters { try add(parameter) }
    }

    private func unsupported(_ parameter: Parameter, _ what: String) -> IDLError {
        IDLError(
            at: parameter.location,
            "the Swift stub does not support \(what) ('\(parameter.name)' of '\(method.name)')",
            hint: "generate a C stub, or pass flat sequences")
    }

    private mutating func declare(_ name: String, _ type: String, _ parameter: Parameter) throws(IDLError) {
        guard names.insert(name).inserted else {
            throw IDLError(
                at: parameter.location,
                "two parameters of '\(method.name)' would be called '\(name)' in Swift")
        }
        parameters.append("\(SwiftNames.escaped(name)): \(type)")
    }

    private mutating func add(_ parameter: Parameter) throws(IDLError) {
        let name = SwiftNames.lowerCamel(parameter.name)
        let escaped = SwiftNames.escaped(name)
        switch parameter.type.resolved {
        case .sequence(let element):
            try addSequence(of: element, name, parameter)
        case .string:
            try addString(name, parameter, wide: false)
        case .wideString:
            try addString(name, parameter, wide: true)
        case .dmaHandle:
            try declare(name, "DMAHandle", parameter)
            packing.append("\(call).\(parameter.direction == .in ? "send" : "receive")(\(escaped))")
        case .array(let element, let count):
            guard let elementName = SwiftNames.value(element, typeName) else {
                throw unsupported(parameter, "arrays of arrays")
            }
            try addValue(name, "[\(elementName)]", parameter, count: count, throwing: true)
        case .structure(let type):
            guard !type.isComplex else { throw unsupported(parameter, "structs with sequences or strings") }
            try addValue(name, typeName(type.name), parameter, count: nil, throwing: true)
        case .scalar(.boolean):
            try addValue(name, "Bool", parameter, count: nil, throwing: true)
        case let type:
            let typeName = SwiftNames.value(type, typeName) ?? ""
            try addValue(name, typeName, parameter, count: nil, throwing: false)
        }
    }

    private mutating func addValue(
        _ name: String, _ type: String, _ parameter: Parameter, count: Int?, throwing: Bool
    ) throws(IDLError) {
        let escaped = SwiftNames.escaped(name)
        let read = count.map { "try \(reply).read(count: \($0))" } ?? "try \(reply).read()"
        if parameter.direction != .rout {
            try declare(name, parameter.direction == .in ? type : "inout \(type)", parameter)
            let arguments = count.map { "\(escaped), count: \($0)" } ?? escaped
            packing.append("\(throwing ? "try " : "")\(call).send(\(arguments))")
        }
        switch parameter.direction {
        case .in: break
        case .inrout:
            unpacking.append("\(escaped) = \(read)")
            isPlainReply = false
        case .rout:
            unpacking.append("let \(escaped): \(type) = \(read)")
            results.append((name, type, read))
        }
    }

    private mutating func addSequence(
        of element: IDLType, _ name: String, _ parameter: Parameter
    ) throws(IDLError) {
        let escaped = SwiftNames.escaped(name)
        let scalarName: String
        switch element.resolved {
        // Any byte may come back, which Swift's Bool could not hold.
        case .scalar(.boolean): scalarName = "UInt8"
        case .scalar(let scalar): scalarName = SwiftNames.scalar(scalar)
        case .enumeration(let type): scalarName = typeName(type.name)
        case .structure(let type) where !type.isComplex:
            return try addStructs(typeName(type.name), name, parameter)
        case .array: throw unsupported(parameter, "sequences of arrays")
        default: throw unsupported(parameter, "sequences of sequences, strings or handles")
        }
        let isIn = parameter.direction == .in
        try declare(
            name, "\(isIn ? "UnsafeBufferPointer" : "UnsafeMutableBufferPointer")<\(scalarName)>", parameter)
        let verb = isIn ? "send" : parameter.direction == .rout ? "receive" : "exchange"
        packing.append("try \(call).\(verb)(\(escaped))")
    }

    private mutating func addStructs(
        _ element: String, _ name: String, _ parameter: Parameter
    ) throws(IDLError) {
        let escaped = SwiftNames.escaped(name)
        var count = "\(name)Count"
        switch parameter.direction {
        case .in:
            try declare(name, "[\(element)]", parameter)
            packing.append("try \(call).send(sequence: \(escaped))")
            return
        case .rout:
            try declare(count, "Int", parameter)
        case .inrout:
            try declare(name, "inout [\(element)]", parameter)
            packing.append("try \(call).send(sequence: \(escaped))")
            count = "\(escaped).count"
        }
        packing.append("let \(name)Place = try \(call).receive(\(element).self, count: \(count))")
        let read = "try \(call).sequence(\(element).self, at: \(name)Place, count: \(count))"
        unpack(parameter, name, "[\(element)]", read)
    }

    private mutating func addString(_ name: String, _ parameter: Parameter, wide: Bool) throws(IDLError) {
        let escaped = SwiftNames.escaped(name)
        if parameter.direction != .rout {
            try declare(name, parameter.direction == .in ? "String" : "inout String", parameter)
            packing.append("try \(call).send(\(wide ? "wide: " : "")\(escaped))")
        }
        guard parameter.direction != .in else { return }
        try declare("\(name)Capacity", "Int", parameter)
        let receive = wide ? "receiveWideString" : "receiveString"
        packing.append("let \(name)Place = try \(call).\(receive)(capacity: \(name)Capacity)")
        unpack(parameter, name, "String", "\(call).\(wide ? "wideString" : "string")(at: \(name)Place)")
    }

    /// What comes back in a buffer of its own.
    private mutating func unpack(_ parameter: Parameter, _ name: String, _ type: String, _ value: String) {
        let escaped = SwiftNames.escaped(name)
        isPlainReply = false
        if parameter.direction == .inrout {
            unpacking.append("\(escaped) = \(value)")
        } else {
            unpacking.append("let \(escaped): \(type) = \(value)")
            results.append((name, type, value))
        }
    }

    // MARK: Text

    private var returnType: String {
        switch results.count {
        case 0: ""
        case 1: " -> \(results[0].type)"
        default:
            " -> (" + results.map { "\(SwiftNames.escaped($0.name)): \($0.type)" }.joined(separator: ", ")
                + ")"
        }
    }

    /// The method's first line, wrapped as swift-format would.
    private func signature(_ name: String, _ out: inout SourceWriter) {
        let limit = SwiftStub.lineLimit
        let opening = "public func \(name)("
        let end = ") throws(RemoteCallError)\(returnType) {"
        let returned = results.map { "\(SwiftNames.escaped($0.name)): \($0.type)" }
        let whole = opening + parameters.joined(separator: ", ")
        if out.margin + end.count <= limit,
            !parameters.isEmpty || out.margin + whole.count + end.count <= limit
        {
            out.list(opening, parameters, end, limit: limit)
            return
        }
        let arrow = ") throws(RemoteCallError) -> ("
        if out.margin + whole.count + arrow.count <= limit {
            out.line(whole + arrow)
        } else {
            out.line(opening)
            out.wrapped(parameters, limit: limit)
            out.line(arrow)
        }
        out.wrapped(returned, limit: limit)
        out.line(") {")
    }

    func write(_ out: inout SourceWriter) throws(IDLError) {
        let wire = try MethodWire(method)
        out.doc(method.doc.isEmpty ? ["Calls `\(method.name)`, method \(method.index)."] : method.doc)
        let name = SwiftNames.escaped(SwiftNames.lowerCamel(method.name))
        signature(name, &out)
        let replySize = wire.primROutSent == 0 ? "" : ", replySize: \(wire.primROutSent)"
        var lines = [
            "var \(call) = RemoteCall(\"\(interface.name).\(method.name)\", method: \(method.index)\(replySize))"
        ]
        lines += packing
        lines.append("try \(call).invoke(on: self.handle)")
        if !wire.primROut.isEmpty { lines.append("var \(reply) = \(call).reply") }
        if results.count == 1, isPlainReply {
            lines.append("return \(results[0].value)")
        } else {
            lines += unpacking
            let labels = results.map { "\($0.name): \(SwiftNames.escaped($0.name))" }
            if results.count == 1 { lines.append("return \(SwiftNames.escaped(results[0].name))") }
            if results.count > 1 { lines.append("return (\(labels.joined(separator: ", ")))") }
        }
        for line in lines { out.line("    " + line) }
        out.line("}")
    }
}
