/** event_channel_op: xen/include/public/event_channel.h. Event channels of two levels; there is no other domain. */
import type { Answer, Call, Platform } from '../abi.ts';
import {
  DOMAIN_ID,
  done,
  EEXIST,
  EINVAL,
  ENOENT,
  ENOSPC,
  ENOSYS,
  ESRCH,
  failed,
  integer,
  isSelf,
  ok,
  withStructure,
} from '../xen-call.ts';
import { XenConsole } from '../xen-console.ts';
import { MOST_PORTS, PORT_STATE, XenDomain } from '../xen-domain.ts';

const MOST_VIRQS = 24;

export function eventChannelOp(call: Call, platform: Platform): Answer {
  const domain = new XenDomain(platform);
  const bind = (kind: number, vcpu: number, detail: number, portAt: number, view: DataView): Answer => {
    if (vcpu >= platform.cpus) return failed(ENOENT);
    const port = domain.allocate(kind, vcpu, detail);
    if (port === undefined) return failed(ENOSPC);
    view.setUint32(portAt, port, true);
    return done(`port ${port}`);
  };
  switch (integer(call, 0)) {
    case 0: // bind_interdomain: nobody has a port to connect to.
      return withStructure(call, platform, 12, () => failed(ESRCH));
    case 1: // bind_virq: virq, vcpu, port
      return withStructure(call, platform, 12, (view) => {
        const virq = view.getUint32(0, true);
        const vcpu = view.getUint32(4, true);
        if (virq >= MOST_VIRQS) return failed(EINVAL);
        const taken = ports(domain).some(
          (port) => port.state === PORT_STATE.virq && port.detail === virq && port.vcpu === vcpu,
        );
        return taken ? failed(EEXIST) : bind(PORT_STATE.virq, vcpu, virq, 8, view);
      });
    case 3: // close: port
      return withPort(call, platform, domain, (port) => {
        domain.close(port);
        return done(`port ${port}`);
      });
    case 4: // send: port
      return withPort(call, platform, domain, (port, { state }) => send(port, state, domain, platform));
    case 5: // status: dom, port, status, vcpu, union
      return withStructure(call, platform, 24, (view) => status(view, domain));
    case 6: // alloc_unbound: dom, remote_dom, port
      return withStructure(call, platform, 8, (view) =>
        isSelf(view.getUint16(0, true)) ? bind(PORT_STATE.unbound, 0, view.getUint16(2, true), 4, view) : failed(ESRCH),
      );
    case 7: // bind_ipi: vcpu, port
      return withStructure(call, platform, 8, (view) => bind(PORT_STATE.ipi, view.getUint32(0, true), 0, 4, view));
    case 8: // bind_vcpu: port, vcpu
      return withStructure(call, platform, 8, (view) => {
        const number = view.getUint32(0, true);
        const vcpu = view.getUint32(4, true);
        const port = domain.port(number);
        if (vcpu >= platform.cpus) return failed(ENOENT);
        if (!port || port.state === PORT_STATE.closed || port.state === PORT_STATE.ipi) return failed(EINVAL);
        domain.setPort(number, port.state, vcpu, port.detail);
        return done(`port ${number} to vCPU ${vcpu}`);
      });
    case 9: // unmask: port
      return withPort(call, platform, domain, (port) => {
        domain.unmask(port);
        return done(`port ${port}`);
      });
    case 10: // reset: dom
      return withStructure(call, platform, 2, (view) => {
        if (!isSelf(view.getUint16(0, true))) return failed(ESRCH);
        for (const { number, state } of ports(domain)) if (state !== PORT_STATE.closed) domain.close(number);
        return ok;
      });
    default: // Event channels in FIFOs are not offered.
      return failed(ENOSYS);
  }
}

const ports = (domain: XenDomain) =>
  Array.from({ length: MOST_PORTS - 1 }, (_, index) => ({
    number: index + 1,
    state: PORT_STATE.closed as number,
    vcpu: 0,
    detail: 0,
    ...domain.port(index + 1),
  }));

type Port = NonNullable<ReturnType<XenDomain['port']>>;

/** The port that the structure names, when it is in use. */
function withPort(
  call: Call,
  platform: Platform,
  domain: XenDomain,
  body: (number: number, port: Port) => Answer,
): Answer {
  return withStructure(call, platform, 4, (view) => {
    const number = view.getUint32(0, true);
    const port = domain.port(number);
    return port && port.state !== PORT_STATE.closed ? body(number, port) : failed(EINVAL);
  });
}

function send(port: number, state: number, domain: XenDomain, platform: Platform): Answer {
  const text = `port ${port}`;
  switch (state) {
    case PORT_STATE.ipi:
      domain.raise(port);
      return done(text);
    case PORT_STATE.interdomain: {
      const output = new XenConsole(platform).drain(port);
      return { ...done(`${text}, console`), ...(output.length > 0 && { console: output }) };
    }
    case PORT_STATE.unbound: // Nobody hears it.
      return done(text);
    default:
      return failed(EINVAL);
  }
}

function status(view: DataView, domain: XenDomain): Answer {
  if (!isSelf(view.getUint16(0, true))) return failed(ESRCH);
  const number = view.getUint32(4, true);
  const port = domain.port(number);
  if (!port) return failed(EINVAL);
  view.setUint32(8, port.state, true);
  view.setUint32(12, port.vcpu, true);
  view.setUint32(16, port.state === PORT_STATE.interdomain ? 0 : port.detail, true);
  if (port.state === PORT_STATE.interdomain) view.setUint32(20, DOMAIN_ID, true);
  return done(`port ${number}`);
}
