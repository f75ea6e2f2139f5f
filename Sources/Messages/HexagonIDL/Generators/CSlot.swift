/// One place in C where a value of the IDL lies: a parameter, a struct's member, or a sequence's element.
///
/// Complex types travel as a walk over such places: what is flat is copied between the record on the wire and
/// C, what has data of its own takes the next buffer.
struct CSlot {
    var type: IDLType
    /// The value, or the pointer of a sequence or string, or the descriptor of a handle.
    var value: String
    /// The length beside a pointer.
    var length = ""
    /// The offset beside a descriptor.
    var offset = ""
    /// Whether `value` is already a pointer to a struct or array.
    var isPointer = false
    /// Where the value lies in the records: everything, counts only, scalars only.
    var full = 0
    var counts = 0
    var scalars = 0

    var address: String { isPointer ? value : "&" + value }

    var size: Int { type.extent(.full).size }

    /// The C type of a sequence's or string's element.
    var element: String {
        switch type.resolved {
        case .sequence(let element): CNames.type(element)
        case .string: "char"
        case .wideString: "uint16_t"
        default: ""
        }
    }

    /// The type of a sequence's elements where they need a walk of their own.
    var complexElement: IDLType? {
        if case .sequence(let element) = type.resolved, element.isComplex { element } else { nil }
    }

    /// The places inside a complex value that `value->` leads to.
    static func inside(_ type: IDLType) -> [CSlot] {
        switch type.resolved {
        case .structure(let structure):
            return zip(structure.members, structure.members.indices).map { member, index in
                let name = "_value->\(CNames.identifier(member.name))"
                var isHandle = false
                if case .dmaHandle = member.type.resolved { isHandle = true }
                return CSlot(
                    type: member.type, value: isHandle ? "\(name).fd" : name,
                    length: isHandle ? "\(name).len" : "\(name)Len", offset: "\(name).offset",
                    full: structure.layout(.full).offsets[index] ?? 0,
                    counts: structure.layout(.counts).offsets[index] ?? 0,
                    scalars: structure.layout(.scalars).offsets[index] ?? 0)
            }
        case .dmaHandle:
            return [
                CSlot(type: .dmaHandle, value: "_value->fd", length: "_value->len", offset: "_value->offset")
            ]
        default:
            return [CSlot(type: type.resolved, value: "_value->data", length: "_value->dataLen")]
        }
    }

    /// The name of the functions that walk a complex type.
    static func functionName(_ type: IDLType) -> String {
        switch type.resolved {
        case .string: "string"
        case .wideString: "wstring"
        case .dmaHandle: "dmahandle"
        default: CNames.type(type)
        }
    }
}

/// The functions that a generated file needs for its complex types, in the order of their use.
struct CWalkers {
    /// Which of a type's functions is meant.
    struct Key: Hashable {
        var verb: String
        var name: String
    }

    private(set) var text = ""
    private var known: Set<Key> = []

    /// Makes sure that `verb` exists for the type and for everything inside, and returns its name.
    mutating func require(
        _ verb: String, _ type: IDLType, _ make: (inout CWalkers, IDLType, String) throws(IDLError) -> String
    ) throws(IDLError) -> String {
        let function = "\(verb)_\(CSlot.functionName(type))"
        if known.insert(Key(verb: verb, name: CSlot.functionName(type))).inserted {
            let body = try make(&self, type, function)
            text += body + "\n"
        }
        return function
    }
}
