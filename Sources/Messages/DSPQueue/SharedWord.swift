import Synchronization

/// One 32-bit word of memory that the other side changes at the same time.
///
/// `Atomic` is laid out like its value: size, stride and alignment of the plain integer, no header, no
/// lock. Binding initialised, aligned foreign memory to it therefore describes that memory correctly, and
/// `pointee` of a noncopyable type is an access in place, so that every operation is one atomic
/// instruction on the shared word itself. That is what C11 atomics in a shim would do as well, with a
/// second language and a second module more.
package struct SharedWord: @unchecked Sendable {
    private let word: UnsafeMutablePointer<Atomic<UInt32>>

    /// The word at `address`, which must be 4-aligned and stay valid.
    package init(_ address: UnsafeMutableRawPointer) {
        word = address.bindMemory(to: Atomic<UInt32>.self, capacity: 1)
    }

    /// Loads the word; what the other side stored before it is visible afterwards.
    package func load() -> UInt32 { word.pointee.load(ordering: .acquiring) }

    /// Stores the word; everything stored before is visible to whoever loads it.
    package func store(_ value: UInt32) { word.pointee.store(value, ordering: .releasing) }

    /// Counts up by one, starting over after the largest number.
    package func increment() { _ = word.pointee.wrappingAdd(1, ordering: .releasing) }
}

/// Loads 8 bytes at once, so that what is checked is also what is used, whatever the other side stores
/// in between. `address` must be 8-aligned.
func loadOnce(_ address: UnsafeMutableRawPointer) -> UInt64 {
    address.bindMemory(to: Atomic<UInt64>.self, capacity: 1).pointee.load(ordering: .relaxed)
}
