"""A Modbus server of another make, TCP or with `rtu` RTU over TCP: unit 5 holds 65546 and 7 as two words, high word first.

Prints its port, then serves until it is ended.
"""
import socket
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]

# zero_mode: without it pymodbus adds one to every address of a request.
registers = ModbusSequentialDataBlock(0, [1, 10, 0, 7])
unit = ModbusSlaveContext(ir=registers, hr=registers, zero_mode=True)
print(port, flush=True)
StartTcpServer(
    context=ModbusServerContext({5: unit}, single=False),
    address=("127.0.0.1", port),
    framer=ModbusRtuFramer if "rtu" in sys.argv else ModbusSocketFramer,
)
