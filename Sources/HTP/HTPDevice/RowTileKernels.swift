/// What the processor's own vectors do faster than Swift's: parts of repacking 64 rows, as C functions that somebody
/// above provides. `cpu_repack.h` describes them.
package struct RowTileKernels: Sendable {
    package typealias Pointer = UnsafeRawPointer?
    package typealias Target = UnsafeMutableRawPointer?
    package typealias Table = UnsafeMutablePointer<UInt16>?
    package typealias Halves = @convention(c) (Pointer, Int, Int, Int, Table, Table) -> Void
    package typealias Floats = UnsafeMutablePointer<Float>?
    package typealias SixBitFactors = @convention(c) (Pointer, Int, Int, Int, Float, Floats, Floats) -> Void
    package typealias EightBitFactors = @convention(c) (Pointer, Int, Int, Int, Floats) -> Void
    package typealias Largest = @convention(c) (UnsafePointer<Float>?, Int, Float, Floats) -> Void
    package typealias MantissasOfHalves =
        @convention(c) (UnsafePointer<UInt16>?, UnsafePointer<Float>?, UnsafeMutablePointer<UInt16>?) -> Void
    package typealias Mantissas =
        @convention(c) (UnsafePointer<Float>?, UnsafePointer<Float>?, Float, UnsafeMutablePointer<UInt16>?) ->
        Void
    package typealias Plane = @convention(c) (Pointer, Int, Target, Pointer, Int) -> Void
    package typealias TwoPlanes = @convention(c) (Pointer, Int, Target, Target, Pointer, Int) -> Void
    package typealias Words = @convention(c) (Pointer, Int, Target) -> Void
    package typealias Pairs = @convention(c) (Pointer, Int, Target, Int) -> Void
    package typealias Bits = @convention(c) (Pointer, Int, Target, Int, Int32) -> Void
    package typealias LargestOfHalves = @convention(c) (Pointer, Int, Int, Table, Table) -> Void
    package typealias LargestOfFloats = @convention(c) (Pointer, Int, Int, Floats) -> Void
    package typealias CodeScales = @convention(c) (Floats, UnsafePointer<Float>?, Int, Floats) -> Void
    package typealias Codes = @convention(c) (Pointer, Int, UnsafePointer<Float>?, Target) -> Void
    package typealias Stream = @convention(c) (Target, Pointer, Int) -> Void
    package typealias Prefetch = @convention(c) (Pointer, Int) -> Void

    package var halves: Halves
    package var sixBitFactors: SixBitFactors
    package var eightBitFactors: EightBitFactors
    package var largest: Largest
    package var mantissasOfHalves: MantissasOfHalves
    package var mantissas: Mantissas
    package var nibbles: Plane
    package var nibblePairs: TwoPlanes
    package var bytes: Plane
    package var nibbleWords: Words
    package var pairs: Pairs
    package var bits: Bits
    package var ternaryDigits: Words
    package var largestOfHalves: LargestOfHalves
    package var largestOfFloats: LargestOfFloats
    package var codeScales: CodeScales
    package var codesOfF32: Codes
    package var codesOfF16: Codes
    package var codesOfBF16: Codes
    package var stream: Stream
    package var streamed: @convention(c) () -> Void
    package var prefetch: Prefetch

    package init(
        halves: @escaping Halves, sixBitFactors: @escaping SixBitFactors,
        eightBitFactors: @escaping EightBitFactors, largest: @escaping Largest,
        mantissasOfHalves: @escaping MantissasOfHalves, mantissas: @escaping Mantissas,
        nibbles: @escaping Plane, nibblePairs: @escaping TwoPlanes, bytes: @escaping Plane,
        nibbleWords: @escaping Words, pairs: @escaping Pairs, bits: @escaping Bits,
        ternaryDigits: @escaping Words, largestOfHalves: @escaping LargestOfHalves,
        largestOfFloats: @escaping LargestOfFloats, codeScales: @escaping CodeScales,
        codesOfF32: @escaping Codes, codesOfF16: @escaping Codes, codesOfBF16: @escaping Codes,
        stream: @escaping Stream, streamed: @escaping @convention(c) () -> Void,
        prefetch: @escaping Prefetch
    ) {
        self.halves = halves
        self.sixBitFactors = sixBitFactors
        self.eightBitFactors = eightBitFactors
        self.largest = largest
        self.mantissasOfHalves = mantissasOfHalves
        self.mantissas = mantissas
        self.nibbles = nibbles
        self.nibblePairs = nibblePairs
        self.bytes = bytes
        self.nibbleWords = nibbleWords
        self.pairs = pairs
        self.bits = bits
        self.ternaryDigits = ternaryDigits
        self.largestOfHalves = largestOfHalves
        self.largestOfFloats = largestOfFloats
        self.codeScales = codeScales
        self.codesOfF32 = codesOfF32
        self.codesOfF16 = codesOfF16
        self.codesOfBF16 = codesOfBF16
        self.stream = stream
        self.streamed = streamed
        self.prefetch = prefetch
    }
}
