/// What the processor's own vectors do faster than Swift's: parts of repacking 64 rows, as C functions that somebody
/// above provides. `cpu_repack.h` describes them.
package struct RowTileKernels: Sendable {
    package typealias Pointer = UnsafeRawPointer?
    package typealias Target = UnsafeMutableRawPointer?
    package typealias Halves = @convention(c) (Pointer, Int, Int, Int, UnsafeMutablePointer<UInt16>?) -> Void
    package typealias LargestHalf =
        @convention(c) (UnsafePointer<UInt16>?, Int, UnsafeMutablePointer<UInt16>?) -> Void
    package typealias Floats = UnsafeMutablePointer<Float>?
    package typealias SixBitFactors = @convention(c) (Pointer, Int, Float, Floats, Floats) -> Void
    package typealias EightBitFactors = @convention(c) (Pointer, Int, Floats) -> Void
    package typealias Largest = @convention(c) (UnsafePointer<Float>?, Int, Float, Floats) -> Void
    package typealias MantissasOfHalves =
        @convention(c) (UnsafePointer<UInt16>?, UnsafePointer<Float>?, UnsafeMutablePointer<UInt16>?) -> Void
    package typealias Mantissas =
        @convention(c) (UnsafePointer<Float>?, UnsafePointer<Float>?, Float, UnsafeMutablePointer<UInt16>?) ->
        Void
    package typealias Plane = @convention(c) (Pointer, Int, Target, Pointer, Int) -> Void
    package typealias TwoPlanes = @convention(c) (Pointer, Int, Target, Target, Pointer, Int) -> Void
    package typealias Stream = @convention(c) (Target, Pointer, Int) -> Void
    package typealias Prefetch = @convention(c) (Pointer, Int) -> Void

    package var halves: Halves
    package var largestHalf: LargestHalf
    package var sixBitFactors: SixBitFactors
    package var eightBitFactors: EightBitFactors
    package var largest: Largest
    package var mantissasOfHalves: MantissasOfHalves
    package var mantissas: Mantissas
    package var nibbles: Plane
    package var nibblePairs: TwoPlanes
    package var bytes: Plane
    package var stream: Stream
    package var streamed: @convention(c) () -> Void
    package var prefetch: Prefetch

    package init(
        halves: @escaping Halves, largestHalf: @escaping LargestHalf,
        sixBitFactors: @escaping SixBitFactors, eightBitFactors: @escaping EightBitFactors,
        largest: @escaping Largest, mantissasOfHalves: @escaping MantissasOfHalves,
        mantissas: @escaping Mantissas,
        nibbles: @escaping Plane, nibblePairs: @escaping TwoPlanes, bytes: @escaping Plane,
        stream: @escaping Stream, streamed: @escaping @convention(c) () -> Void, prefetch: @escaping Prefetch
    ) {
        self.halves = halves
        self.largestHalf = largestHalf
        self.sixBitFactors = sixBitFactors
        self.eightBitFactors = eightBitFactors
        self.largest = largest
        self.mantissasOfHalves = mantissasOfHalves
        self.mantissas = mantissas
        self.nibbles = nibbles
        self.nibblePairs = nibblePairs
        self.bytes = bytes
        self.stream = stream
        self.streamed = streamed
        self.prefetch = prefetch
    }
}
