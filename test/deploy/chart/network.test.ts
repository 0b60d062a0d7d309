/** Who may reach the gateway, and whom it may reach. */

import { expect, it } from '@jest/globals';
import { FLEET, describeChart, envOf, render } from '../../support/chart.ts';

describeChart('the port of the operator', () => {
  it('is apart from that of clients, never open to the world, and has the metrics', () => {
    const rendered = render({
      ...FLEET,
      service: { type: 'LoadBalancer' },
      metrics: { serviceMonitor: { enabled: true } },
    });
    expect(rendered.one('Service', 'gateway').spec.ports).toMatchObject([{ name: 'http' }]);
    const { spec } = rendered.one('Service', '-admin');
    expect([spec.type, spec.ports[0].port, spec.ports[0].targetPort]).toEqual(['ClusterIP', 9090, 'admin']);
    expect(rendered.one('ServiceMonitor').spec.endpoints[0].port).toBe('admin');
    expect(envOf(FLEET)).toMatchObject({ ADMIN_PORT: '9090', ADMIN_HOST: '0.0.0.0' });
  });

  it('is that of clients when there is to be one only', () => {
    const rendered = render('anonymous-values.yaml');
    expect(rendered.manifests.filter(({ kind }) => kind === 'Service')).toHaveLength(1);
    expect(rendered.one('PodMonitor').spec.podMetricsEndpoints[0].port).toBe('http');
    expect(envOf('anonymous-values.yaml').ADMIN_PORT).toBeUndefined();
  });
});

describeChart('the network policy', () => {
  it('lets everybody to the API unless some are named, and only monitoring to the port of the operator', () => {
    const monitoring = {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
    };
    const { spec } = render(FLEET).one('NetworkPolicy');
    expect(spec).toMatchObject({
      policyTypes: ['Ingress'],
      ingress: [
        { ports: [{ port: 'http', protocol: 'TCP' }] },
        { ports: [{ port: 'admin', protocol: 'TCP' }], from: [monitoring] },
      ],
    });
    expect(spec.ingress[0].from).toBeUndefined();
    const [clients] = render('production-values.yaml').one('NetworkPolicy').spec.ingress as [
      { from: object[] },
    ];
    expect(clients.from).toHaveLength(3);
    expect(clients.from).not.toContainEqual(monitoring);
  });

  it('lets out what is named, and not to private addresses', () => {
    const { spec } = render('production-values.yaml').one('NetworkPolicy');
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress']);
    const rules = JSON.stringify(spec.egress);
    for (const part of [
      '"port":53',
      'models',
      '10.1.2.3/32',
      '"except":["10.0.0.0/8"',
      '"port":6443',
      '"data"',
    ]) {
      expect(rules).toContain(part);
    }
    const closed = JSON.stringify(render('valkey-values.yaml').one('NetworkPolicy', 'gateway').spec.egress);
    expect(closed).not.toContain('0.0.0.0/0');
    expect(closed).toContain('"app.kubernetes.io/name":"valkey"');
  });
});

describeChart('the way in', () => {
  it('through an Ingress streams, and shows the API only', () => {
    const { metadata, spec } = render('ingress-values.yaml').one('Ingress');
    expect(metadata.annotations).toMatchObject({
      'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
      'nginx.ingress.kubernetes.io/proxy-read-timeout': '3600',
    });
    expect(spec.rules[0].http.paths).toEqual([
      {
        path: '/v1',
        pathType: 'Prefix',
        backend: { service: { name: 'gw-node-ai-gateway', port: { name: 'http' } } },
      },
    ]);
  });

  it('through a Gateway has no time limit', () => {
    const { spec } = render('gateway-api-values.yaml').one('HTTPRoute');
    expect(spec.rules[0].timeouts).toEqual({ request: '0s', backendRequest: '0s' });
    expect(spec.parentRefs).toEqual([{ name: 'public', namespace: 'gateways', sectionName: 'https' }]);
  });
});
