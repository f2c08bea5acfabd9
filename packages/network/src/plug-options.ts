/** Where an interface goes. */
export interface PlugOptions {
  readonly namespaceFd: number;
  /** `eth0` */
  readonly name: string;
  /** Addresses that it has beside those of its lease. */
  readonly beside?: readonly string[];
  /** The families whose default route goes this way. */
  readonly gateways: { readonly ipv4: boolean; readonly ipv6: boolean };
}
