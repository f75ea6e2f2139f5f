/// A value that a call carries as a record of its own, alone or as the element of a sequence.
///
/// What lies in the record itself, such as a number, is a ``WireValue``. Sequences, strings and handles leave
/// only a count there, if anything; their data has buffers of its own. Generated structs that hold such members
/// conform to this protocol.
///
/// A value that is returned needs room before the call is made: its ``Capacity`` says how much.
public protocol RemoteValue {
    /// How much room a returned value gets: `Void` where its size is known, bytes or units of a string with the
    /// terminating zero, elements of a sequence, the same of each member of a struct.
    associatedtype Capacity
    /// The same for a sequence of such values: their number where that says it all, or one capacity for each.
    associatedtype SequenceCapacity = [Capacity]

    /// What the value's record takes on the wire.
    static var recordShape: RecordShape { get }
    /// Adds the value to a call: its record where the call writes records, and its buffers.
    func send(in call: inout RemoteCall) throws(RemoteCallError)
    /// Adds room for a value that is returned.
    static func receive(_ capacity: Capacity, in call: inout RemoteCall) throws(RemoteCallError)
    /// Takes what the call returned.
    init(returnedBy call: inout RemoteCall) throws(RemoteCallError)
    /// Adds room for a sequence of such values.
    static func receive(
        sequence capacity: SequenceCapacity, in call: inout RemoteCall
    ) throws(RemoteCallError)
}

/// Sizes and alignments of a record on the wire.
///
/// A value that is sent has one record with everything in it. A value that is returned has two: its counts,
/// which are sent, and its scalars, which come back.
public struct RecordShape: Hashable, Sendable {
    /// Bytes of the record that is sent.
    public var size: Int
    /// Its alignment: 1, 2, 4 or 8.
    public var alignment: Int
    /// Bytes of the counts that are sent for a returned value.
    public var countsSize: Int
    /// Bytes of the scalars that come back.
    public var scalarsSize: Int
    /// Their alignment.
    public var scalarsAlignment: Int
    /// Whether the value's memory is its record.
    var isMemory = false

    /// Describes a record.
    public init(size: Int, alignment: Int, countsSize: Int, scalarsSize: Int, scalarsAlignment: Int) {
        self.size = size
        self.alignment = alignment
        self.countsSize = countsSize
        self.scalarsSize = scalarsSize
        self.scalarsAlignment = scalarsAlignment
    }

    /// Nothing but a count.
    static let count = RecordShape(size: 4, alignment: 4, countsSize: 4, scalarsSize: 0, scalarsAlignment: 1)
    static let nothing = RecordShape(
        size: 0, alignment: 1, countsSize: 0, scalarsSize: 0, scalarsAlignment: 1)
}

extension RemoteValue where SequenceCapacity == [Capacity] {
    /// Adds room for a sequence: records of counts and of scalars, then the room of each element.
    public static func receive(
        sequence capacity: [Capacity], in call: inout RemoteCall
    ) throws(RemoteCallError) {
        try call.receiveRecords(of: Self.self, capacity)
    }
}

// MARK: Values without data of their own

extension RemoteValue where Self: WireValue {
    /// The value's own size and alignment.
    public static var recordShape: RecordShape {
        RecordShape(
            size: wireSize, alignment: wireAlignment, countsSize: 0, scalarsSize: wireSize,
            scalarsAlignment: wireAlignment)
    }

    /// Writes the value.
    public func send(in call: inout RemoteCall) throws(RemoteCallError) { try call.send(self) }

    /// Nothing to do: the room is part of the record.
    public static func receive(_ capacity: Void, in call: inout RemoteCall) throws(RemoteCallError) {}

    /// Reads the value.
    public init(returnedBy call: inout RemoteCall) throws(RemoteCallError) { self = try call.read() }

    /// Adds room for `capacity` elements.
    public static func receive(
        sequence capacity: Int, in call: inout RemoteCall
    ) throws(RemoteCallError) {
        try call.receiveElements(of: Self.self, count: capacity)
    }
}

extension RemoteValue where Self: WireScalar {
    /// The value's memory.
    public static var recordShape: RecordShape {
        var shape = RecordShape(
            size: wireSize, alignment: wireAlignment, countsSize: 0, scalarsSize: wireSize,
            scalarsAlignment: wireAlignment)
        shape.isMemory = true
        return shape
    }
}

// MARK: Values with data of their own

/// A sequence inside another or in a struct.
extension Array: RemoteValue where Element: RemoteValue {
    /// The count.
    public static var recordShape: RecordShape { .count }

    /// Adds the sequence.
    public func send(in call: inout RemoteCall) throws(RemoteCallError) { try call.send(sequence: self) }

    /// Adds room for the sequence.
    public static func receive(
        _ capacity: Element.SequenceCapacity, in call: inout RemoteCall
    ) throws(RemoteCallError) {
        try Element.receive(sequence: capacity, in: &call)
    }

    /// Takes the sequence that came back.
    public init(returnedBy call: inout RemoteCall) throws(RemoteCallError) { self = try call.readSequence() }
}

/// IDL's `string`.
extension String: RemoteValue {
    /// The count of bytes.
    public static var recordShape: RecordShape { .count }

    /// Adds the string with its terminating zero.
    public func send(in call: inout RemoteCall) throws(RemoteCallError) { try call.send(self) }

    /// Adds room for `capacity` bytes, the terminating zero included.
    public static func receive(_ capacity: Int, in call: inout RemoteCall) throws(RemoteCallError) {
        try call.receiveString(capacity: capacity)
    }

    /// Takes the string that came back, up to its first zero.
    public init(returnedBy call: inout RemoteCall) throws(RemoteCallError) { self = try call.readString() }
}

/// IDL's `wstring` where it is the element of a sequence: a string that travels in 16-bit units.
public struct WideString: RemoteValue, Hashable, Sendable, ExpressibleByStringLiteral {
    /// The text.
    public var text: String

    /// Boxes a string.
    public init(_ text: String) { self.text = text }

    /// Boxes a literal.
    public init(stringLiteral text: String) { self.text = text }

    /// The count of units.
    public static var recordShape: RecordShape { .count }

    /// Adds the string with its terminating zero.
    public func send(in call: inout RemoteCall) throws(RemoteCallError) { try call.send(wide: text) }

    /// Adds room for `capacity` units, the terminating zero included.
    public static func receive(_ capacity: Int, in call: inout RemoteCall) throws(RemoteCallError) {
        try call.receiveWideString(capacity: capacity)
    }

    /// Takes the string that came back, up to its first zero.
    public init(returnedBy call: inout RemoteCall) throws(RemoteCallError) {
        text = try call.readWideString()
    }
}

/// A slice needs no room of its own: the capacity is the slice that the callee writes.
extension DMAHandle: RemoteValue {
    /// Handles have slots of their own and leave nothing in a record.
    public static var recordShape: RecordShape { .nothing }

    /// Adds a slice that the callee reads.
    public func send(in call: inout RemoteCall) throws(RemoteCallError) { call.send(self) }

    /// Adds a slice that the callee writes.
    public static func receive(_ capacity: DMAHandle, in call: inout RemoteCall) throws(RemoteCallError) {
        call.receive(handle: capacity)
    }

    /// Returns the slice that the callee has written.
    public init(returnedBy call: inout RemoteCall) throws(RemoteCallError) { self = try call.readHandle() }
}
