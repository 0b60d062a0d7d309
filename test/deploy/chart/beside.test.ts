/** What the chart brings beside the gateway: scaling, monitoring, Ollama, Valkey, a test. */

import { readdirSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import {
  FLEET,
  containerOf,
  deployment,
  describeChart,
  envOf,
  podOf,
  render,
  type Manifest,
} from '../../support/chart.ts';

describeChart('scaling', () => {
  it('looks at CPU and at streams, goes up at once and down slowly, and leaves the number alone', () => {
    const rendered = render('production-values.yaml');
    const { spec } = rendered.one('HorizontalPodAutoscaler');
    expect(spec.metrics).toEqual([
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
      },
      {
        type: 'Pods',
        pods: {
          metric: { name: 'ai_gateway_active_streams' },
          target: { type: 'AverageValue', averageValue: '100' },
        },
      },
    ]);
    expect(spec.behavior.scaleDown.stabilizationWindowSeconds).toBe(300);
    expect(rendered.one('Deployment').spec.replicas).toBeUndefined();
  });

  it('is left to KEDA when that is chosen', () => {
    const rendered = render('keda-values.yaml');
    const { spec } = rendered.one('ScaledObject');
    expect(spec.triggers[0].metadata).toEqual({
      serverAddress: 'http://prometheus-operated.monitoring.svc:9090',
      query: 'sum(ai_gateway_active_streams{namespace="ai",pod=~"gw-node-ai-gateway-.+"})',
      threshold: '100',
    });
    expect(spec.triggers).toHaveLength(2);
    expect(rendered.manifests.some(({ kind }) => kind === 'HorizontalPodAutoscaler')).toBe(false);
  });
});

describeChart('what watches', () => {
  it('brings the rules and dashboards of the project', () => {
    const rendered = render('production-values.yaml');
    expect(rendered.one('ServiceMonitor').metadata.labels).toMatchObject({ release: 'prometheus' });
    expect(Array.isArray(rendered.one('PrometheusRule').spec.groups)).toBe(true);
    const boards = readdirSync(new URL('../../../helm/node-ai-gateway/dashboards/', import.meta.url));
    for (const board of boards) {
      const map = rendered.manifests.find(({ data }) => data?.[board] !== undefined);
      expect(map?.metadata.labels).toMatchObject({ grafana_dashboard: '1' });
      expect(map?.metadata.annotations).toEqual({ grafana_folder: 'AI' });
      expect(JSON.parse(String(map?.data[board]))).toMatchObject({ title: expect.any(String) });
    }
    expect(boards.length).toBeGreaterThan(0);
  });
});

describeChart('Ollama and Valkey', () => {
  it('are there when they are wanted, and then the gateway knows them', () => {
    const kinds = (values: string | object): string[] =>
      render(values)
        .manifests.filter(({ kind }) => kind === 'StatefulSet')
        .map(({ metadata }) => metadata.name);
    expect(kinds(FLEET)).toEqual([]);
    expect(kinds('ollama-values.yaml')).toEqual(['gw-ollama']);
    expect(String(render('ollama-values.yaml').one('ConfigMap').data['gateway.yaml'])).toContain(
      'url: http://gw-ollama.ai.svc:11434',
    );
    expect(kinds('valkey-values.yaml')).toEqual(['gw-valkey']);
    expect(envOf('valkey-values.yaml').REDIS_URL).toBe('redis://:$(VALKEY_PASSWORD)@gw-valkey.ai.svc:6379');
  });

  it('run on GPUs, and pull their models before they begin', () => {
    const set = render('gpu-values.yaml').one('StatefulSet');
    expect(containerOf(set).resources.limits).toEqual({ memory: '32Gi', 'nvidia.com/gpu': 2 });
    const [, , ...models] = podOf(set).initContainers[0].args as string[];
    expect(models).toEqual(['llama3.2:3b', 'nomic-embed-text']);
    expect(set.spec.volumeClaimTemplates).toBeUndefined();
  });
});

describeChart('helm test', () => {
  it('asks as a client would, with the key of clients, in the image of the gateway', () => {
    const pod = render('ollama-values.yaml').one('Pod');
    expect(pod.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'test' });
    const [container] = pod.spec.containers as [Manifest];
    expect(container.image).toBe(containerOf(deployment('ollama-values.yaml')).image);
    expect(container.env).toEqual([
      { name: 'GATEWAY_URL', value: 'http://gw-node-ai-gateway.ai.svc:80' },
      { name: 'MODEL', value: 'llama3.2:1b' },
      {
        name: 'AUTH_KEY',
        valueFrom: { secretKeyRef: { name: 'gw-node-ai-gateway-auth', key: 'AUTH_KEY' } },
      },
    ]);
    expect(container.args[0]).toContain("'/readyz'");
    const keyFileOnly = { existingSecret: 'x', secretKeys: { key: '', keyFile: 'keys.json' } };
    const other = render({ ...FLEET, auth: keyFileOnly }).one('Pod').spec.containers[0] as Manifest;
    expect(other.env).toContainEqual({ name: 'HAS_NO_KEY', value: 'true' });
  });
});
