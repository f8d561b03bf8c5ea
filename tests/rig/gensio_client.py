"""Sets a serial port over RFC 2217 with gensio, ser2net's library, and prints each answer.

    gensio_client.py PORT      (with Debian's python3, which has the gensio module)
"""

import sys

import gensio


class Log:
    def gensio_log(self, level, text):
        print("log", level, text, flush=True)


class Port:
    """What comes beside the answers, as lines too."""

    def read_callback(self, io, err, buf, auxdata):
        if not err:
            print("read", bytes(buf).hex(), flush=True)
        return len(buf)

    def modemstate(self, io, state):
        print("modemstate", state, flush=True)

    def linestate(self, io, state):
        print("linestate", state, flush=True)


selector = gensio.alloc_gensio_selector(Log())
io = gensio.gensio(selector, "telnet(rfc2217),tcp,127.0.0.1," + sys.argv[1], Port())
io.open_s()
io.read_cb_enable(True)
port = io.cast_to_sergensio()
port.sg_modemstate(0xFF)
port.sg_linestate(0x1E)
print("baud", port.sg_baud_s(9600))
print("datasize", port.sg_datasize_s(7))
print("parity", port.sg_parity_s(gensio.SERGENSIO_PARITY_EVEN))
print("stopbits", port.sg_stopbits_s(2))
print("flow", port.sg_flowcontrol_s(gensio.SERGENSIO_FLOWCONTROL_XON_XOFF))
print("iflow", port.sg_iflowcontrol_s(0))
print("dtr", port.sg_dtr_s(gensio.SERGENSIO_DTR_OFF))
print("rts", port.sg_rts_s(gensio.SERGENSIO_RTS_OFF))
print("break", port.sg_sbreak_s(gensio.SERGENSIO_BREAK_ON))
print("break", port.sg_sbreak_s(gensio.SERGENSIO_BREAK_OFF))
print("asked", port.sg_baud_s(0), port.sg_datasize_s(0), port.sg_parity_s(0), port.sg_stopbits_s(0))
port.sg_flush(gensio.SERGENSIO_FLUSH_RCV_XMIT_BUFFERS)
io.write(b"typed\r\n", None)
print("done", flush=True)
# Until the standard input ends, whatever comes is printed.
waiter = gensio.waiter(selector)
while waiter.wait_timeout(1, 100) == 0:
    pass
