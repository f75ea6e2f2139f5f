import HTPDevice
import HexagonRPC

/// A DSP that a model may be placed on, before a session is opened.
public struct InferenceDevice: Sendable {
    /// Its name in command lines and tables, such as `htp0`.
    public var name: String
    /// What kind of device it is: `hardware`, `simulator`, `qemu`.
    public var kind: String
    /// How it is reached.
    public var transport: any Transport
    /// Which DSP and which session.
    public var configuration: SessionConfiguration
    /// How much power it may take while it works.
    public var power = PowerLevel.full
    /// How its program computes everything but matrix products.
    public var arithmetic = FloatArithmetic.plain

    /// How batches get there.
    public var messages = BatchMessages.call
    /// Seconds that it may take for a call, 0 for ever; nil for a time that depends on what calls took so far on hardware,
    /// and for ever elsewhere. A call that takes longer is repeated in a new session.
    public var timeout: Double?
    /// By which that is measured; tests have others.
    package var clock = CallClock.suspending

    /// Describes a device.
    public init(
        name: String, kind: String, transport: any Transport,
        configuration: SessionConfiguration = SessionConfiguration()
    ) {
        self.name = name
        self.kind = kind
        self.transport = transport
        self.configuration = configuration
    }
}
