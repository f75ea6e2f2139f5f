/// What one submission did, as the DSP program counted it.
package struct BatchReport: Sendable {
    /// Operations that ran.
    package var operations = 0
    /// Multiply-adds that ran.
    package var multiplyAdds = 0
    /// Time the DSP program took.
    package var microseconds = 0
    /// Bytes written for the DSP: inputs and changed parameters.
    package var bytesToDSP = 0
    /// Bytes read back: results and the report.
    package var bytesFromDSP = 0
}
