const PREFIX = 'resources.';

/** `resources.gpu` → `gpu`; undefined for what every machine has. */
export function namedResource(resource: string): string | undefined {
  return resource.startsWith(PREFIX) ? resource.slice(PREFIX.length) : undefined;
}
