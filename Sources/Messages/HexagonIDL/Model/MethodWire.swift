/// How one method's call looks on the wire: the primitive buffers field by field, and the other buffers.
package struct MethodWire: Sendable {
    /// A value, or the count of one, in a primitive buffer.
    package struct Field: Sendable {
        package enum Role: String, Sendable {
            /// The real index of a method beyond 30.
            case methodIndex = "method_index"
            case value
            /// Elements of a sequence or string that is sent.
            case count
            /// Elements of a sequence or string that is returned at most.
            case capacity
        }

        package var role: Role
        /// Index of the parameter; nil for the method's index.
        package var parameter: Int?
        package var part: RecordPart
        package var offset: Int
        package var extent: Extent
    }

    /// A buffer beside the primitive ones.
    package struct Buffer: Sendable {
        package enum Content: String, Sendable {
            case elements
            /// Records of a sequence's elements, whose own buffers follow.
            case records
            /// Capacities of a returned sequence's elements.
            case counts
        }

        package var parameter: Int
        /// The parameter's name and the way inside it: `outer[].data`.
        package var path: String
        package var content: Content
        package var elementSize: Int
        package var element: String
        /// Whether there is one such buffer for each element of a sequence around it.
        package var isRepeated: Bool
    }

    /// A handle slot, or one for each element of the sequences on the way to it.
    package struct Handle: Sendable {
        package var parameter: Int
        package var path: String
        package var isReturned: Bool
        package var isRepeated: Bool
    }

    package private(set) var primIn: [Field] = []
    package private(set) var primROut: [Field] = []
    /// Bytes that a skel requires.
    package private(set) var primInSize = 0
    package private(set) var primROutSize = 0
    /// Bytes that a stub sends: rounded up to the largest alignment used.
    package private(set) var primInSent = 0
    package private(set) var primROutSent = 0
    package private(set) var inBuffers: [Buffer] = []
    package private(set) var outBuffers: [Buffer] = []
    /// All handle slots, in the order of the parameters.
    package private(set) var handles: [Handle] = []
    /// Handles whose number is known; those in sequences come on top.
    package private(set) var inHandles = 0
    package private(set) var outHandles = 0
    /// Whether handles travel in sequences, so that their number depends on the call.
    package private(set) var hasHandleSequence = false

    /// Sequences, strings and handles met so far. Structs fan out; this keeps the walk short.
    private var leaves = 0
    private static let leafLimit = 1024

    private var sent = Placement()
    private var returned = Placement()

    /// Whether every call has the same number of buffers and handles.
    package var isFixed: Bool {
        !hasHandleSequence && !inBuffers.contains(where: \.isRepeated)
            && !outBuffers.contains(where: \.isRepeated)
    }

    /// In buffers of a call whose sequences of sequences are empty, the primitive one included.
    package var inBufferCount: Int {
        (primIn.isEmpty ? 0 : 1) + inBuffers.count { !$0.isRepeated }
    }

    /// Out buffers of a call whose sequences of sequences are empty, the primitive one included.
    package var outBufferCount: Int {
        (primROut.isEmpty ? 0 : 1) + outBuffers.count { !$0.isRepeated }
    }

    /// The scalars word; for a method that is not fixed, with all inner sequences empty.
    package func scalars(method: Int) -> UInt32 {
        UInt32(min(method, 31)) << 24 | UInt32(inBufferCount) << 16 | UInt32(outBufferCount) << 8
            | UInt32(inHandles) << 4 | UInt32(outHandles)
    }

    package init(_ method: Method) throws(IDLError) {
        if method.index >= 31 {
            primIn.append(
                Field(role: .methodIndex, parameter: nil, part: .full, offset: 0, extent: .count))
            _ = sent.place(.count)
        }
        for (index, parameter) in method.parameters.enumerated() {
            try add(parameter, index)
            guard inBuffers.count < 255, outBuffers.count < 255, inHandles <= 15, outHandles <= 15,
                leaves < Self.leafLimit
            else {
                throw IDLError(
                    at: method.location, "the method '\(method.name)' needs too many buffers or handles",
                    hint: "a call carries at most 254 buffers beside the primitives and 15 handles each way")
            }
        }
        primInSize = sent.size
        primROutSize = returned.size
        primInSent = sent.rounded
        primROutSent = returned.rounded
    }

    private mutating func add(_ parameter: Parameter, _ index: Int) throws(IDLError) {
        let type = parameter.type.resolved
        let isCounted = type.isCounted
        if parameter.direction != .rout {
            try place(isCounted ? .count : .value, parameter, index, .full, inReply: false)
            addBuffers(of: type, index, parameter.name, isReturned: false, isRepeated: false)
        }
        if parameter.direction != .in {
            try place(.capacity, parameter, index, .counts, inReply: false)
            try place(.value, parameter, index, .scalars, inReply: true)
            addBuffers(of: type, index, parameter.name, isReturned: true, isRepeated: false)
        }
    }

    private mutating func place(
        _ role: Field.Role, _ parameter: Parameter, _ index: Int, _ part: RecordPart, inReply: Bool
    ) throws(IDLError) {
        let extent = parameter.type.extent(part)
        guard extent.size > 0 else { return }
        guard let offset = inReply ? returned.place(extent) : sent.place(extent) else {
            throw IDLError(
                at: parameter.location, "the parameters by value take more than \(Extent.sizeLimit) bytes",
                hint: "pass large data as a sequence")
        }
        let field = Field(role: role, parameter: index, part: part, offset: offset, extent: extent)
        if inReply { primROut.append(field) } else { primIn.append(field) }
    }

    /// Adds the buffers of a value, depth first.
    private mutating func addBuffers(
        of type: IDLType, _ parameter: Int, _ path: String, isReturned: Bool, isRepeated: Bool
    ) {
        guard type.isComplex, leaves < Self.leafLimit else { return }
        func buffer(_ content: Buffer.Content, _ size: Int, _ element: String) -> Buffer {
            Buffer(
                parameter: parameter, path: path, content: content, elementSize: size, element: element,
                isRepeated: isRepeated)
        }
        if type.isCounted { leaves += 1 }
        switch type {
        case .alias(let alias):
            addBuffers(of: alias.target, parameter, path, isReturned: isReturned, isRepeated: isRepeated)
        case .structure(let structure):
            for member in structure.members {
                addBuffers(
                    of: member.type, parameter, "\(path).\(member.name)", isReturned: isReturned,
                    isRepeated: isRepeated)
            }
        case .string, .wideString:
            let size = if case .string = type { 1 } else { 2 }
            let own = buffer(.elements, size, size == 1 ? "char" : "wchar")
            if isReturned { outBuffers.append(own) } else { inBuffers.append(own) }
        case .sequence(let element):
            if case .dmaHandle = element.resolved {
                hasHandleSequence = true
                handles.append(
                    Handle(parameter: parameter, path: path + "[]", isReturned: isReturned, isRepeated: true))
            } else if !element.isComplex {
                let own = buffer(.elements, element.extent(.full).size, element.spelling)
                if isReturned { outBuffers.append(own) } else { inBuffers.append(own) }
            } else {
                addRecords(of: element, buffer, isReturned: isReturned)
                addBuffers(
                    of: element, parameter, path + "[]", isReturned: isReturned, isRepeated: true)
            }
        case .dmaHandle:
            leaves += 1
            handles.append(
                Handle(parameter: parameter, path: path, isReturned: isReturned, isRepeated: isRepeated))
            if isRepeated {
                hasHandleSequence = true
            } else if isReturned {
                outHandles += 1
            } else {
                inHandles += 1
            }
        case .scalar, .enumeration, .array:
            break
        }
    }

    private mutating func addRecords(
        of element: IDLType, _ buffer: (Buffer.Content, Int, String) -> Buffer, isReturned: Bool
    ) {
        if !isReturned {
            let size = element.extent(.full).size
            if size > 0 { inBuffers.append(buffer(.records, size, element.spelling)) }
            return
        }
        let counts = element.extent(.counts).size
        let scalars = element.extent(.scalars).size
        if counts > 0 { inBuffers.append(buffer(.counts, counts, element.spelling)) }
        if scalars > 0 { outBuffers.append(buffer(.records, scalars, element.spelling)) }
    }
}

extension IDLType {
    /// Whether the type's own data lies in a buffer and only its count in a record.
    package var isCounted: Bool {
        switch resolved {
        case .sequence, .string, .wideString: true
        default: false
        }
    }
}
