/// Generates one method of the Swift stub, in one of its forms.
struct SwiftMethod {
    /// How sequences of scalars are passed.
    enum Form {
        /// Memory of the caller, which travels as it is.
        case buffers
        /// Arrays, which are copied.
        case arrays
    }

    private let method: Method
    private let interface: Interface
    private let types: SwiftTypes
    private let form: Form
    private let isAsync: Bool

    /// What the parameters become.
    private var parameters: [String] = []
    /// Statements before and after the call.
    private var packing: [String] = []
    private var unpacking: [String] = []
    /// Names and types of what is returned.
    private var results: [(name: String, type: String, value: String)] = []
    private var hasExchanged = false
    private var names: Set<String> = []
    private var call = "call"

    init(
        _ method: Method, of interface: Interface, _ types: SwiftTypes, form: Form, isAsync: Bool
    ) throws(IDLError) {
        self.method = method
        self.interface = interface
        self.types = types
        self.form = form
        self.isAsync = isAsync
        let names = Set(method.parameters.map { SwiftNames.lowerCamel($0.name) })
        while names.contains(call) { call += "_" }
        // Values come back in parameter order.
        for parameter in method.parameters { try add(parameter) }
    }

    /// The forms in which a method exists: both where sequences of scalars are among its parameters.
    static func forms(_ method: Method) -> [Form] {
        method.parameters.contains { $0.type.sharedElement != nil } ? [.buffers, .arrays] : [.arrays]
    }

    private mutating func declare(_ name: String, _ type: String, _ parameter: Parameter) throws(IDLError) {
        guard names.insert(name).inserted else {
            throw IDLError(
                at: parameter.location,
                "two parameters of '\(method.name)' would be called '\(name)' in Swift",
                hint: "give one of them another name")
        }
        parameters.append("\(SwiftNames.escaped(name)): \(type)")
    }

    private mutating func add(_ parameter: Parameter) throws(IDLError) {
        let name = SwiftNames.lowerCamel(parameter.name)
        if form == .buffers, let element = parameter.type.sharedElement {
            return try addBuffer(of: element, name, parameter)
        }
        switch parameter.direction {
        case .in: try addSent(name, parameter)
        case .rout: try addReturned(name, parameter)
        case .inrout: try addExchanged(name, parameter)
        }
    }

    /// A sequence whose memory is the caller's and travels without a copy.
    private mutating func addBuffer(
        of element: IDLType, _ name: String, _ parameter: Parameter
    ) throws(IDLError) {
        // Any byte may come back, which Swift's Bool could not hold.
        let isBoolean = if case .scalar(.boolean) = element.resolved { true } else { false }
        let elementName = isBoolean ? "UInt8" : types.value(element)
        let isIn = parameter.direction == .in
        let pointer = isIn ? "UnsafeBufferPointer" : "UnsafeMutableBufferPointer"
        try declare(name, "\(pointer)<\(elementName)>", parameter)
        let verb = isIn ? "send" : parameter.direction == .rout ? "receive" : "exchange"
        packing.append("try \(call).\(verb)(\(SwiftNames.escaped(name)))")
    }

    private mutating func addSent(_ name: String, _ parameter: Parameter) throws(IDLError) {
        try declare(name, types.value(parameter.type), parameter)
        packing.append(types.send(parameter.type, SwiftNames.escaped(name), to: call))
    }

    private mutating func addReturned(_ name: String, _ parameter: Parameter) throws(IDLError) {
        let escaped = SwiftNames.escaped(name)
        let type = parameter.type
        // Handles say where the callee writes; nothing new comes back.
        if type.isHandleSequence || type.isHandle {
            try declare(name, types.value(type), parameter)
            packing.append("\(type.isHandle ? "" : "try ")\(call).receive(\(escaped))")
            return
        }
        if let capacity = types.capacity(type) {
            let capacityName = name + types.capacitySuffix(type)
            try declare(capacityName, capacity, parameter)
            packing += types.receive(type, capacityName, in: call).map { [$0] } ?? []
        }
        let (valueType, read) = (types.value(type), types.read(type, from: call))
        unpacking.append("let \(escaped): \(valueType) = \(read)")
        results.append((name, valueType, read))
    }

    private mutating func addExchanged(_ name: String, _ parameter: Parameter) throws(IDLError) {
        let escaped = SwiftNames.escaped(name)
        let type = parameter.type
        try declare(name, "inout \(types.value(type))", parameter)
        packing.append(types.send(type, escaped, to: call))
        var capacity = "\(escaped).count"
        switch type.resolved {
        case .string, .wideString:
            capacity = name + types.capacitySuffix(type)
            try declare(capacity, "Int", parameter)
        default: break
        }
        packing += types.receive(type, capacity, in: call).map { [$0] } ?? []
        unpacking.append("\(escaped) = \(types.read(type, from: call))")
        hasExchanged = true
    }

    // MARK: Text

    private var effects: String { (isAsync ? "async " : "") + "throws(RemoteCallError)" }

    private var returnType: String {
        switch results.count {
        case 0: ""
        case 1: " -> \(results[0].type)"
        default: " -> (" + labelled.joined(separator: ", ") + ")"
        }
    }

    private var labelled: [String] { results.map { "\(SwiftNames.escaped($0.name)): \($0.type)" } }

    /// The method's first line, wrapped as swift-format would.
    private func signature(_ out: inout SourceWriter, begin: String, end: String) {
        let limit = SwiftStub.lineLimit
        let opening = "\(begin)\(SwiftNames.escaped(SwiftNames.lowerCamel(method.name)))("
        let closing = ") \(effects)\(returnType)\(end)"
        let whole = opening + parameters.joined(separator: ", ")
        if out.margin + closing.count <= limit,
            !parameters.isEmpty || out.margin + whole.count + closing.count <= limit
        {
            out.list(opening, parameters, closing, limit: limit)
            return
        }
        let arrow = ") \(effects) -> ("
        if out.margin + whole.count + arrow.count <= limit {
            out.line(whole + arrow)
        } else {
            out.line(opening)
            out.wrapped(parameters, limit: limit)
            out.line(arrow)
        }
        out.wrapped(labelled, limit: limit)
        out.line(")\(end)")
    }

    /// The method as the requirement of a protocol.
    func writeRequirement(_ out: inout SourceWriter) {
        out.doc(method.doc.isEmpty ? ["Answers `\(method.name)`, method \(method.index)."] : method.doc)
        signature(&out, begin: "func ", end: "")
    }

    private var doc: [String] {
        let own = method.doc.isEmpty ? ["Calls `\(method.name)`, method \(method.index)."] : method.doc
        let isCopy = form == .arrays && Self.forms(method).count > 1
        return own + (isCopy ? ["", "Copies its sequences; the method that takes buffers does not."] : [])
    }

    func write(_ out: inout SourceWriter) throws(IDLError) {
        let wire = try MethodWire(method)
        out.doc(doc)
        signature(&out, begin: "public func ", end: " {")
        let replySize = wire.primROutSent == 0 ? "" : ", replySize: \(wire.primROutSent)"
        var lines = [
            "var \(call) = RemoteCall(\"\(interface.name).\(method.name)\", method: \(method.index)\(replySize))"
        ]
        lines += packing
        lines.append("try \(isAsync ? "await " : "")\(call).invoke(on: self.handle)")
        if results.count == 1, !hasExchanged {
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
