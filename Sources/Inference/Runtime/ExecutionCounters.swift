/// What was executed, counted where it happened.
package struct ExecutionCounters: Sendable {
    /// Products of the forward pass.
    package var products = 0
    /// Those of them that a DSP executed, by its own count.
    package var offloadedProducts = 0
    /// Multiply-adds of all products.
    package var multiplyAdds = 0
    /// Multiply-adds that a DSP executed, by its own count.
    package var offloadedMultiplyAdds = 0
    /// Messages to DSPs.
    package var messages = 0
    package var bytesToDSP = 0
    package var bytesFromDSP = 0
    /// Time that DSP programs were at work.
    package var dspMicroseconds = 0
    /// Times that work was repeated after a DSP failed.
    package var recoveries = 0

    package init() {}
}
