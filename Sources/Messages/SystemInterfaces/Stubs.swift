import RemoteCalls

// Unchecked only because it stands in another file than the generated type, whose one member the handle is.
extension DSPQueueRPC: @unchecked Sendable where Handle: Sendable & ~Copyable {}
