/// How the Swift stub says the types of the IDL, and how it packs them.
struct SwiftTypes {
    /// The C name of each interface, and what its stub is called.
    let interfaces: [(cName: String, name: String)]

    /// - Parameter name: what the stub of a single interface is called; nil makes it from the interface's name.
    init(_ interfaces: [Interface], name: String?) {
        self.interfaces = interfaces.map { interface in
            let own = SwiftNames.upperCamel(interface.name)
            return (interface.name, interfaces.count == 1 ? name ?? own : own)
        }
    }

    /// A type of an interface is called after its stub: `htp_Mode` → `HTPMode`.
    func name(_ cName: String) -> String {
        for interface in interfaces where cName.hasPrefix(interface.cName + "_") {
            return interface.name + SwiftNames.upperCamel(String(cName.dropFirst(interface.cName.count + 1)))
        }
        return SwiftNames.upperCamel(cName)
    }

    /// The type of a parameter or member.
    func value(_ type: IDLType) -> String {
        switch type.resolved {
        case .scalar(let scalar): SwiftNames.scalar(scalar)
        case .enumeration(let type): name(type.name)
        case .structure(let type): name(type.name)
        case .array(let inner, _), .sequence(let inner): "[\(element(inner))]"
        case .string, .wideString: "String"
        case .dmaHandle: "DMAHandle"
        case .alias(let alias): value(alias.target)
        }
    }

    /// The type of an element. Arrays and wide strings are boxed there, so that it alone says the wire's form.
    func element(_ type: IDLType) -> String {
        switch type.resolved {
        case .wideString: "WideString"
        case .array: box(type)
        default: value(type)
        }
    }

    /// What an array is called that is the element of something.
    func box(_ type: IDLType) -> String {
        switch type {
        case .alias(let alias): name(alias.name)
        case .array(let inner, let count): "\(element(inner))x\(count)"
        default: value(type)
        }
    }

    /// The type by which a caller says how much room a returned value gets; nil where nothing is to be said.
    func capacity(_ type: IDLType) -> String? {
        switch type.resolved {
        case .string, .wideString: "Int"
        case .sequence(let inner): inner.isComplex ? capacity(inner).map { "[\($0)]" } : "Int"
        case .dmaHandle: "DMAHandle"
        case .structure(let type): type.isComplex ? "\(name(type.name)).Capacity" : nil
        default: nil
        }
    }

    /// What is appended to a name to call its capacity.
    ///
    /// - Parameter isHandles: whether it is a parameter of handles alone, which are named themselves.
    func capacitySuffix(_ type: IDLType, ofHandles isHandles: Bool = false) -> String {
        if isHandles { return "" }
        switch type.resolved {
        case .sequence(let inner): return inner.isComplex ? "Capacities" : "Count"
        case .dmaHandle: return ""
        default: return "Capacity"
        }
    }

    /// What a doc comment says of a member's capacity.
    func capacityDoc(_ member: StructType.Member) -> String {
        switch member.type.resolved {
        case .string: "Bytes of `\(member.name)`, the terminating zero included."
        case .wideString: "Units of `\(member.name)`, the terminating zero included."
        case .sequence(let inner) where inner.isComplex: "The room of each element of `\(member.name)`."
        case .sequence: "Elements of `\(member.name)`."
        case .dmaHandle: "The slice that is written as `\(member.name)`."
        default: "The room of `\(member.name)`."
        }
    }

    // MARK: Statements

    /// Packs what is sent.
    func send(_ type: IDLType, _ value: String, to call: String) -> String {
        switch type.resolved {
        case .scalar(.boolean), .string: "try \(call).send(\(value))"
        case .structure(let type):
            type.isComplex ? "try \(call).send(record: \(value))" : "try \(call).send(\(value))"
        case .array(_, let count): "try \(call).send(\(value), count: \(count))"
        case .sequence: "try \(call).send(sequence: \(value))"
        case .wideString: "try \(call).send(wide: \(value))"
        default: "\(call).send(\(value))"
        }
    }

    /// Adds room for what is returned; nil where it lies in a record.
    func receive(_ type: IDLType, _ capacity: String, in call: String) -> String? {
        switch type.resolved {
        case .string: "try \(call).receiveString(capacity: \(capacity))"
        case .wideString: "try \(call).receiveWideString(capacity: \(capacity))"
        case .sequence(let inner):
            "try \(call).receive(sequence: \(element(inner)).self, capacity: \(capacity))"
        case .dmaHandle: "\(call).receive(handle: \(capacity))"
        case .structure(let type):
            type.isComplex
                ? "try \(call).receive(record: \(name(type.name)).self, capacity: \(capacity))" : nil
        default: nil
        }
    }

    /// The expression that takes what came back.
    func read(_ type: IDLType, from call: String) -> String {
        switch type.resolved {
        case .array(_, let count): "try \(call).read(count: \(count))"
        case .sequence: "try \(call).readSequence()"
        case .string: "try \(call).readString()"
        case .wideString: "try \(call).readWideString()"
        case .dmaHandle: "try \(call).readHandle()"
        case .structure(let type): type.isComplex ? "try \(call).readRecord()" : "try \(call).read()"
        default: "try \(call).read()"
        }
    }

    // MARK: Statements of a skel

    /// The expression that takes what was sent.
    func take(_ type: IDLType, from call: String) -> String { read(type, from: call) }

    /// The expression that takes the room for what is returned; nil where it lies in a record.
    func takeCapacity(_ type: IDLType, from call: String) -> String? {
        switch type.resolved {
        case .string: "try \(call).stringCapacity()"
        case .wideString: "try \(call).wideStringCapacity()"
        case .sequence(let inner): "try \(call).capacity(sequence: \(element(inner)).self)"
        case .dmaHandle: "try \(call).lentHandle()"
        case .structure(let type):
            type.isComplex ? "try \(call).capacity(record: \(name(type.name)).self)" : nil
        default: nil
        }
    }

    /// Returns a value.
    func answer(_ type: IDLType, _ value: String, to call: String) -> String {
        switch type.resolved {
        case .array(_, let count): "try \(call).write(\(value), count: \(count))"
        case .sequence: "try \(call).write(sequence: \(value))"
        case .string: "try \(call).write(string: \(value))"
        case .wideString: "try \(call).write(wide: \(value))"
        case .structure(let type):
            type.isComplex ? "try \(call).write(record: \(value))" : "try \(call).write(\(value))"
        default: "try \(call).write(\(value))"
        }
    }
}

extension IDLType {
    var isHandle: Bool {
        if case .dmaHandle = resolved { true } else { false }
    }

    /// The element of a sequence that C and Swift hold the same way, so that it travels without a copy.
    var sharedElement: IDLType? {
        guard case .sequence(let element) = resolved else { return nil }
        switch element.resolved {
        case .scalar, .enumeration: return element
        default: return nil
        }
    }

    /// Whether the type is a sequence of handles and nothing else.
    var isHandleSequence: Bool {
        guard case .sequence(let element) = resolved, case .dmaHandle = element.resolved else { return false }
        return true
    }
}
