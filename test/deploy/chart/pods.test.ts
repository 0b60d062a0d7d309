/** What the chart says of pods, and of what they may. */

import { expect, it } from '@jest/globals';
import { FLEET, containerOf, deployment, describeChart, envOf, podOf, render } from '../../support/chart.ts';

describeChart('the pods', () => {
  it('watch the folder of their configuration, so that a change is loaded', () => {
    const container = containerOf(deployment(FLEET));
    const mounts = container.volumeMounts as { name: string; mountPath: string; subPath?: string }[];
    expect(mounts.find(({ name }) => name === 'config')).toEqual({
      name: 'config',
      mountPath: '/etc/node-ai-gateway/config',
      readOnly: true,
    });
    expect(envOf(FLEET).GATEWAY_CONFIG).toBe('/etc/node-ai-gateway/config/gateway.yaml');
    expect(mounts.some(({ subPath }) => subPath !== undefined)).toBe(false);
  });

  it('are replaced for settings that need it, and only for those', () => {
    const sum = (values: object): unknown =>
      deployment(values).spec.template.metadata.annotations['checksum/config'] as unknown;
    const before = sum(FLEET);
    const changed = { config: { ...FLEET.config, models: { a: {} }, server: { drainTimeoutMs: '1m' } } };
    expect(sum(changed)).toBe(before);
    expect(sum({ config: { ...FLEET.config, log: { level: 'debug' } } })).not.toBe(before);
    expect(sum({ config: { ...FLEET.config, server: { workers: 2 } } })).not.toBe(before);
    const always = { restartOnConfigChange: true };
    expect(sum({ ...changed, ...always })).not.toBe(sum({ ...FLEET, ...always }));
  });

  it('get keys from Secrets only, as files that may change', () => {
    const rendered = render('production-values.yaml');
    expect(rendered.manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    const container = containerOf(rendered.one('Deployment'));
    expect(envOf('production-values.yaml')).toMatchObject({
      AUTH_KEY_FILE: '/etc/node-ai-gateway/auth/main',
      API_KEYS_FILE: '/etc/node-ai-gateway/auth/others',
      ADMIN_KEY_FILE: '/etc/node-ai-gateway/auth/admin',
      KEY_FILE: '/etc/node-ai-gateway/auth/keys.json',
      KEY_HASH_SECRET_FILE: '/etc/node-ai-gateway/auth/pepper',
      REDIS_FAIL_CLOSED: 'true',
    });
    expect(container.envFrom).toEqual([{ secretRef: { name: 'ai-backends' } }]);
    const redis = (container.env as { name: string }[]).find(({ name }) => name === 'REDIS_URL');
    expect(redis).toEqual({
      name: 'REDIS_URL',
      valueFrom: { secretKeyRef: { name: 'ai-redis', key: 'REDIS_URL' } },
    });
    const { volumes } = podOf(rendered.one('Deployment')) as unknown as { volumes: unknown[] };
    expect(volumes).toContainEqual({
      name: 'auth',
      secret: { secretName: 'ai-clients', defaultMode: 0o440 },
    });
  });

  it('have a key of their own making when they are given none, long enough and new each time', () => {
    const keyOf = (): string =>
      Buffer.from(String(render(FLEET).one('Secret').data.AUTH_KEY), 'base64').toString();
    const [one, other] = [keyOf(), keyOf()];
    expect(one).toMatch(/^sk-[A-Za-z0-9]{48}$/);
    expect(other).not.toBe(one);
    expect(render(FLEET).one('Secret').metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
  });

  it('have time to drain before they are killed, after proxies have had time to learn of it', () => {
    const { lifecycle } = containerOf(deployment(FLEET));
    expect(lifecycle).toEqual({ preStop: { sleep: { seconds: 10 } } });
    expect(podOf(deployment(FLEET)).terminationGracePeriodSeconds).toBe(300);
    expect(containerOf(deployment('everything-values.yaml')).lifecycle).toBeUndefined();
  });

  it('are asked by three probes, over TLS when they speak it', () => {
    const { startupProbe, readinessProbe, livenessProbe } = containerOf(deployment(FLEET));
    const get = (path: string, scheme: string): object => ({ httpGet: { path, port: 'http', scheme } });
    expect(startupProbe).toMatchObject(get('/healthz', 'HTTP'));
    expect(readinessProbe).toMatchObject(get('/readyz', 'HTTP'));
    expect(livenessProbe).toMatchObject(get('/healthz', 'HTTP'));
    const secure = containerOf(deployment('gateway-api-values.yaml'));
    expect(secure.readinessProbe).toMatchObject(get('/readyz', 'HTTPS'));
    expect(envOf('gateway-api-values.yaml')).toMatchObject({
      TLS_CERT_FILE: '/etc/node-ai-gateway/tls/tls.crt',
      TLS_KEY_FILE: '/etc/node-ai-gateway/tls/tls.key',
    });
    expect(render('gateway-api-values.yaml').one('ServiceMonitor').spec.endpoints[0]).toMatchObject({
      scheme: 'https',
    });
  });

  it('are replaced without a gap, and spread over zones and nodes', () => {
    const { spec } = deployment(FLEET);
    expect(spec.strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    });
    const keys = (podOf(deployment(FLEET)).topologySpreadConstraints as { topologyKey: string }[]).map(
      ({ topologyKey }) => topologyKey,
    );
    expect(keys).toEqual(['topology.kubernetes.io/zone', 'kubernetes.io/hostname']);
    expect(deployment('anonymous-values.yaml').spec.strategy).toEqual({ type: 'Recreate' });
  });

  it('are selected by labels that a new version does not change', () => {
    const { spec } = deployment(FLEET);
    const labels = spec.template.metadata.labels as Record<string, string>;
    expect(labels).toEqual(spec.selector.matchLabels);
    expect(render(FLEET).one('Service').spec.selector).toEqual(labels);
  });
});

describeChart('the service account', () => {
  it('has no token and no rights, but with discovery by Kubernetes', () => {
    const rendered = render(FLEET);
    expect(rendered.one('ServiceAccount').automountServiceAccountToken).toBe(false);
    expect(podOf(rendered.one('Deployment')).automountServiceAccountToken).toBe(false);
    expect(rendered.manifests.filter(({ kind }) => kind.startsWith('Role'))).toEqual([]);
  });

  it('may read EndpointSlices where the backends are, and nothing else', () => {
    const backend = (url: string, discovery: string, i: number): object => ({
      name: `b${String(i)}`,
      kind: 'vllm',
      url,
      discovery,
    });
    const rendered = render({
      config: {
        backends: [
          backend('http://one:8000', 'kubernetes', 1),
          backend('http://two.models:8000', 'kubernetes', 2),
          backend('http://three.models.svc.cluster.local:8000', 'kubernetes', 3),
          backend('http://four.elsewhere:8000', 'dns', 4),
        ],
      },
    });
    const roles = rendered.manifests.filter(({ kind }) => kind === 'Role');
    expect(roles.map(({ metadata }) => metadata.namespace)).toEqual(['ai', 'models']);
    for (const { rules } of roles) {
      expect(rules).toEqual([
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] },
      ]);
    }
    const bindings = rendered.manifests.filter(({ kind }) => kind === 'RoleBinding');
    expect(bindings.map(({ subjects }) => subjects[0].namespace as string)).toEqual(['ai', 'ai']);
    expect(podOf(rendered.one('Deployment')).automountServiceAccountToken).toBe(true);
  });
});

describeChart('usage', () => {
  it('is kept on the volume that is given, or not at all', () => {
    const { volumes } = podOf(deployment('production-values.yaml')) as unknown as { volumes: unknown[] };
    expect(volumes).toContainEqual({ name: 'usage', persistentVolumeClaim: { claimName: 'ai-usage' } });
    expect(envOf(FLEET).USAGE_DIR).toBe('/data');
    expect(envOf('anonymous-values.yaml').USAGE_ENABLED).toBe('false');
    const { volumes: without } = podOf(deployment('anonymous-values.yaml'));
    expect(without).toMatchObject([{ name: 'config' }, { name: 'tmp' }]);
  });
});
