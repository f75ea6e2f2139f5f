/// A program's vote on power, as `HAP_power_set` gets it: `HAP_power_request_t`, of which enumerations take a byte.
package struct PowerRequest: Hashable, Sendable {
    /// What the vote is about. Numbers: `HAP_power_request_type`.
    package enum Kind: Hashable, Sendable {
        /// `HAP_power_set_HVX`: whether the vector units are on.
        case vectors(isOn: Bool)
        /// `HAP_power_set_apptype`
        case applicationType(UInt8)
        /// `HAP_power_set_DCVS_v3`
        case clocks(Clocks)
        case other(UInt8)
        /// `HAP_power_destroy_client`
        case withdrawal
    }

    /// The parts of a `HAP_power_set_DCVS_v3` that are set.
    package struct Clocks: Hashable, Sendable {
        /// Whether the system may change the clocks by itself; nil where that is left as it is.
        package var isAdaptive: Bool?
        /// Microseconds that waking up may take.
        package var latency: UInt32?
        /// Least, wanted and greatest voltage corner of the core, 0 for no wish.
        package var core: Corners?
        /// The same of the bus.
        package var bus: Corners?
        /// Whether it may sleep between two pieces of work.
        package var maySleep: Bool?

        package init(
            isAdaptive: Bool? = nil, latency: UInt32? = nil, core: Corners? = nil, bus: Corners? = nil,
            maySleep: Bool? = nil
        ) {
            self.isAdaptive = isAdaptive
            self.latency = latency
            self.core = core
            self.bus = bus
            self.maySleep = maySleep
        }
    }

    /// Voltage corners, `HAP_dcvs_voltage_corner_t`.
    package struct Corners: Hashable, Sendable {
        package var target: UInt8
        package var minimum: UInt8
        package var maximum: UInt8

        package init(target: UInt8, minimum: UInt8, maximum: UInt8) {
            self.target = target
            self.minimum = minimum
            self.maximum = maximum
        }
    }

    /// Who votes: `context`, a number of the program's.
    package var client: UInt32
    package var kind: Kind

    init(client: UInt32, isWithdrawal: Bool, bytes: [UInt8]) {
        self.client = client
        let bytes = bytes + [UInt8](repeating: 0, count: max(0, 88 - bytes.count))
        func corners(_ set: Int, _ at: Int) -> Corners? {
            guard bytes[set] != 0 else { return nil }
            return Corners(target: bytes[at], minimum: bytes[at + 1], maximum: bytes[at + 2])
        }
        kind =
            switch bytes[0] {
            case _ where isWithdrawal: .withdrawal
            case 2: .vectors(isOn: bytes[8] != 0)
            case 3: .applicationType(bytes[8])
            case 12:
                .clocks(
                    Clocks(
                        isAdaptive: bytes[8] != 0 ? bytes[9] != 0 : nil,
                        latency: bytes[11] != 0
                            ? bytes[12..<16].reversed().reduce(0) { $0 << 8 | UInt32($1) } : nil,
                        core: corners(16, 20), bus: corners(36, 40),
                        maySleep: bytes[84] != 0 ? bytes[85] == 0 : nil))
            default: .other(bytes[0])
            }
    }
}
