/// A value that Swift can also serve: take from a call that comes in, and return.
///
/// Generated skels add the conformance to the structs of an interface.
public protocol ServedValue: RemoteValue {
    /// Takes a value that was sent.
    init(sentIn call: inout IncomingCall) throws(RemoteCallError)
    /// Takes the room for a value that is to be returned.
    static func capacity(in call: inout IncomingCall) throws(RemoteCallError) -> Capacity
    /// Takes the room for a sequence that is to be returned.
    static func sequenceCapacity(in call: inout IncomingCall) throws(RemoteCallError) -> SequenceCapacity
    /// Returns the value into the room that was taken for it.
    func answer(_ call: inout IncomingCall) throws(RemoteCallError)
}

extension ServedValue where SequenceCapacity == [Capacity] {
    /// Takes the room for a sequence: for its records, then for each element.
    public static func sequenceCapacity(
        in call: inout IncomingCall
    ) throws(RemoteCallError) -> [Capacity] {
        try call.recordCapacities(Self.self)
    }
}

extension ServedValue where Self: WireValue {
    /// Reads the value.
    public init(sentIn call: inout IncomingCall) throws(RemoteCallError) { self = try call.read(Self.self) }

    /// Nothing to do: the room is part of the reply.
    public static func capacity(in call: inout IncomingCall) throws(RemoteCallError) {}

    /// Takes the room for elements.
    public static func sequenceCapacity(in call: inout IncomingCall) throws(RemoteCallError) -> Int {
        try call.elementCapacity(Self.self)
    }

    /// Writes the value.
    public func answer(_ call: inout IncomingCall) throws(RemoteCallError) { try call.write(self) }
}

extension Array: ServedValue where Element: ServedValue {
    /// Takes a sequence.
    public init(sentIn call: inout IncomingCall) throws(RemoteCallError) { self = try call.readSequence() }

    /// Takes the room for a sequence.
    public static func capacity(
        in call: inout IncomingCall
    ) throws(RemoteCallError) -> Element.SequenceCapacity {
        try Element.sequenceCapacity(in: &call)
    }

    /// Returns a sequence.
    public func answer(_ call: inout IncomingCall) throws(RemoteCallError) { try call.write(sequence: self) }
}

extension String: ServedValue {
    /// Takes a string.
    public init(sentIn call: inout IncomingCall) throws(RemoteCallError) { self = try call.readString() }

    /// Takes the room for a string.
    public static func capacity(in call: inout IncomingCall) throws(RemoteCallError) -> Int {
        try call.stringCapacity()
    }

    /// Returns a string.
    public func answer(_ call: inout IncomingCall) throws(RemoteCallError) { try call.write(string: self) }
}

extension WideString: ServedValue {
    /// Takes a string of 16-bit units.
    public init(sentIn call: inout IncomingCall) throws(RemoteCallError) {
        self.init(try call.readWideString())
    }

    /// Takes the room for a string.
    public static func capacity(in call: inout IncomingCall) throws(RemoteCallError) -> Int {
        try call.wideStringCapacity()
    }

    /// Returns a string.
    public func answer(_ call: inout IncomingCall) throws(RemoteCallError) { try call.write(wide: text) }
}

extension DMAHandle: ServedValue {
    /// Takes a slice, whose length does not travel: it is 0.
    public init(sentIn call: inout IncomingCall) throws(RemoteCallError) { self = try call.readHandle() }

    /// Takes a slice to write.
    public static func capacity(in call: inout IncomingCall) throws(RemoteCallError) -> DMAHandle {
        try call.lentHandle()
    }

    /// Nothing to do: the slice itself was written.
    public func answer(_ call: inout IncomingCall) throws(RemoteCallError) {}
}
