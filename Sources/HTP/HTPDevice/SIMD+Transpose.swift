// Interleaving and transposing of vectors; each line is one instruction of SSE2 or NEON.

extension SIMD16 where Scalar == UInt8 {
    /// The bytes of the first halves of two vectors in turn.
    @inline(__always)
    static func interleaved(_ a: SIMD8<UInt8>, _ b: SIMD8<UInt8>) -> SIMD16<UInt8> {
        SIMD16(
            a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3], a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7])
    }
}

extension SIMD8 where Scalar == UInt16 {
    @inline(__always)
    static func interleavedLow(_ a: Self, _ b: Self) -> Self {
        Self(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3])
    }

    @inline(__always)
    static func interleavedHigh(_ a: Self, _ b: Self) -> Self {
        Self(a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7])
    }
}

extension SIMD4 where Scalar == UInt32 {
    @inline(__always)
    static func interleavedLow(_ a: Self, _ b: Self) -> Self { Self(a[0], b[0], a[1], b[1]) }

    @inline(__always)
    static func interleavedHigh(_ a: Self, _ b: Self) -> Self { Self(a[2], b[2], a[3], b[3]) }
}

/// Eight vectors of halfwords, as rows of a square.
struct HalfwordSquare {
    typealias Row = SIMD8<UInt16>
    typealias Words = SIMD4<UInt32>
    var rows: (Row, Row, Row, Row, Row, Row, Row, Row)

    /// Interleaves halfwords, then words, then double words. (Three rounds of halfwords would do, too, but the
    /// compiler makes less of them.)
    @inline(__always)
    func transposed() -> HalfwordSquare {
        let a = Self.square(rows.0, rows.1, rows.2, rows.3), b = Self.square(rows.4, rows.5, rows.6, rows.7)
        return HalfwordSquare(
            rows: (
                Self.low(a.0, b.0), Self.high(a.0, b.0), Self.low(a.1, b.1), Self.high(a.1, b.1),
                Self.low(a.2, b.2), Self.high(a.2, b.2), Self.low(a.3, b.3), Self.high(a.3, b.3)
            ))
    }

    /// Four rows: columns 2i and 2i + 1 become vector i.
    @inline(__always)
    private static func square(_ a: Row, _ b: Row, _ c: Row, _ d: Row) -> (Words, Words, Words, Words) {
        let low = (words(.interleavedLow(a, b)), words(.interleavedLow(c, d)))
        let high = (words(.interleavedHigh(a, b)), words(.interleavedHigh(c, d)))
        return (
            .interleavedLow(low.0, low.1), .interleavedHigh(low.0, low.1),
            .interleavedLow(high.0, high.1), .interleavedHigh(high.0, high.1)
        )
    }

    @inline(__always)
    private static func words(_ row: Row) -> Words { unsafeBitCast(row, to: Words.self) }

    @inline(__always)
    private static func low(_ a: Words, _ b: Words) -> Row {
        let (a, b) = (unsafeBitCast(a, to: SIMD2<UInt64>.self), unsafeBitCast(b, to: SIMD2<UInt64>.self))
        return unsafeBitCast(SIMD2(a[0], b[0]), to: Row.self)
    }

    @inline(__always)
    private static func high(_ a: Words, _ b: Words) -> Row {
        let (a, b) = (unsafeBitCast(a, to: SIMD2<UInt64>.self), unsafeBitCast(b, to: SIMD2<UInt64>.self))
        return unsafeBitCast(SIMD2(a[1], b[1]), to: Row.self)
    }
}

/// Four vectors of words, as rows of a square.
struct WordSquare {
    typealias Row = SIMD4<UInt32>
    var rows: (Row, Row, Row, Row)

    @inline(__always)
    func transposed() -> WordSquare { interleaved().interleaved() }

    @inline(__always)
    private func interleaved() -> WordSquare {
        WordSquare(
            rows: (
                .interleavedLow(rows.0, rows.2), .interleavedHigh(rows.0, rows.2),
                .interleavedLow(rows.1, rows.3), .interleavedHigh(rows.1, rows.3)
            ))
    }
}
