import { useEffect, useRef } from 'preact/hooks';

/** Fetched separately, so that the page is shown before it arrives. */
const typesetter = import('temml');

/** TeX as MathML, which browsers can typeset and screen readers can read. */
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
