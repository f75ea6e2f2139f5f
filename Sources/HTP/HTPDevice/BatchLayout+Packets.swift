import HexagonRPC

extension BatchLayout {
    /// `htp_batch_request`
    package enum Request {
        package static let byteCount = 24
        package static let number = 0
        package static let descriptor = 4
        package static let offset = 8
        package static let size = 16
    }

    /// `htp_batch_response`
    package enum Response {
        package static let byteCount = 8

        /// The code in the answer to a request; nil where it is none.
        package static func status(in bytes: [UInt8], number: UInt32) -> AEEResult? {
            guard bytes.count == byteCount else { return nil }
            let (found, status) = bytes.withUnsafeBytes {
                (
                    UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)),
                    UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
                )
            }
            return found == number ? AEEResult(rawValue: status) : nil
        }
    }
}
