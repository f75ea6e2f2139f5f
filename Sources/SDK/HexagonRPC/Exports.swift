// Whoever imports the SDK can name what its interface is made of.
@_exported import DSPQueue
@_exported import FastRPCKernel
@_exported import FastRPCLibrary
@_exported import RemoteCalls
@_exported import SharedMemory
