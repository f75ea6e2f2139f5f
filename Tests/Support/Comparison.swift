/// Sum of squared differences over the sum of squares of what is expected.
public func normalizedError<A: BinaryFloatingPoint, B: BinaryFloatingPoint>(
    _ found: some Collection<A>, expected: some Collection<B>
) -> Double {
    precondition(found.count == expected.count)
    var difference = 0.0, square = 0.0
    for (a, b) in zip(found, expected) {
        difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
        square += Double(b) * Double(b)
    }
    // A value that is no number makes the error one, and every comparison with it fails.
    return difference / square
}
