import { useEffect, useRef } from 'preact/hooks';

/** Fetched when the first formula is: the page stands before it is there. */
const typesetter = import('temml');

/** TeX as MathML, which browsers set, and screen readers read, by themselves. */
export function Formula({ tex, display = false }: { tex: string; display?: boolean }) {
  const place = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let current = true;
    void typesetter.then(({ default: temml }) => {
      if (current && place.current) temml.render(tex, place.current, { displayMode: display });
    });
    return () => {
      current = false;
    };
  }, [tex, display]);
  return <span class={display ? 'formula display' : 'formula'} ref={place} />;
}
