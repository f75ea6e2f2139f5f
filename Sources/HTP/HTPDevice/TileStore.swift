/// Somebody who keeps the tiles of matrices, so that they need not be repacked each time.
package protocol TileStore {
    /// Fills the matrices' places in device memory, each of `tiledByteCount` bytes.
    ///
    /// - Parameter parallel: runs a body for each index below a count, on as many threads as it likes.
    func read(
        into places: [UnsafeMutableRawBufferPointer], parallel: (_ count: Int, _ body: (Int) -> Void) -> Void
    ) -> TileStoreReading

    /// Gets the tiles after they were repacked. That they cannot be kept is nobody else's affair.
    func keep(
        _ places: [UnsafeRawBufferPointer], parallel: (_ count: Int, _ body: (Int) -> Void) -> Void)
}

/// What reading of tiles gave.
package enum TileStoreReading: Sendable {
    /// All tiles are in their places.
    case complete
    /// There are none; nothing was written.
    case none
    /// They turned out as damaged after some of the places had been written.
    case damaged
}
